"""Which names of a directory are files of a product, and the time that each says; no other name is ever asked for."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from radar.errors import InvalidRequest

_TIMES = {10: "%y%m%d%H%M", 13: "%Y%m%d_%H%M"}
"""strptime's format by the length of the stamp."""


class Naming(NamedTuple):
    """How DWD names the files of a product.

    Parameters
    ----------
    dated : tuple of pattern
        One group: the time.
    latest : str
        The name under which the newest file is to be had as well.
    """

    dated: tuple[re.Pattern[str], ...]
    latest: str


def _radolan(product: str) -> re.Pattern[str]:
    """RADOLAN binaries, and RADKLIM's with their version after the product."""
    return re.compile(rf"raa01-{product}[0-9.]{{0,12}}_10000-(\d{{10}})-dwd---bin(?:\.gz|\.bz2)?")


NAMINGS = {
    "RV": Naming(
        (
            re.compile(r"composite_rv_(\d{8}_\d{4})\.tar(?:\.gz|\.bz2)?"),
            re.compile(r"DE1200_RV(\d{10})\.tar(?:\.gz|\.bz2)?"),
        ),
        "composite_rv_LATEST.tar",
    ),
    "RY": Naming(
        (
            _radolan("ry"),
            re.compile(r"composite_ry_(\d{8}_\d{4})-hd5"),
            re.compile(r"(\d{8}_\d{4})_RY\.h5"),
        ),
        "raa01-ry_10000-latest-dwd---bin.bz2",
    ),
    "YW": Naming((_radolan("yw"),), "raa01-yw_10000-latest-dwd---bin.bz2"),
}
"""By product; of these the feed can follow."""


class Listed(NamedTuple):
    """A file that a source lists.

    Parameters
    ----------
    name : str
        A plain name, of one of the patterns.
    time : datetime or None
        UTC, as the name says; None for the newest file's other name.
    version : str
        Another text when the file was changed, as far as the source tells; of the source's own making.
    """

    name: str
    time: datetime | None
    version: str


def naming_of(product: str) -> Naming:
    """How files of a product are named; raises InvalidRequest for one that cannot be followed."""
    if product not in NAMINGS:
        raise InvalidRequest(
            expected=f"a product of {', '.join(NAMINGS)}",
            got=repr(product[:20]),
            remedy="correct --product; files of other products can be sent to POST /frames",
        )
    return NAMINGS[product]


def listed(naming: Naming, name: str, version: str) -> Listed | None:
    """The file of that name; None if it is none of the product's, or says a time that is none."""
    if name == naming.latest:
        return Listed(name, None, version)
    for pattern in naming.dated:
        if found := pattern.fullmatch(name):
            stamp = found[1]
            try:
                return Listed(name, datetime.strptime(stamp, _TIMES[len(stamp)]).replace(tzinfo=UTC), version)
            except ValueError:
                return None
    return None


def dated_or_latest(files: list[Listed]) -> list[Listed]:
    """The files with a time, oldest first; where there is none, the newest file's other name."""
    dated = sorted((file for file in files if file.time), key=lambda file: (str(file.time), file.name))
    return dated or files[:1]
