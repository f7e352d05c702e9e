"""Names of files of a product in a directory, with the time in each; other names are never requested."""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import UTC, datetime
from typing import NamedTuple

from radar.errors import InvalidRequest
from radar.products import PRODUCTS

_TIMES = {10: "%y%m%d%H%M", 12: "%Y%m%d%H%M", 13: "%Y%m%d_%H%M"}
"""strptime's format, by the length of the time stamp."""


class Naming(NamedTuple):
    """DWD's names of a product's files; case does not matter.

    Parameters
    ----------
    dated : tuple of pattern
        One group: the time.
    latest : tuple of str
        Fixed names of the newest file, the usual one first.
    shown : str
        The same names for messages.
    """

    dated: tuple[re.Pattern[str], ...]
    latest: tuple[str, ...]
    shown: str


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.ASCII)


def _of_minutes(product: str) -> Naming:
    """Names of RADOLAN and RADKLIM binaries, RADKLIM with a version after the product, and of ODIM HDF5."""
    dated = (
        _pattern(rf"raa01-{product}[0-9.]{{0,12}}_10000-(\d{{10}}|\d{{12}})-dwd---bin(?:\.gz|\.bz2|\.hdf5|\.h5)?"),
        _pattern(rf"composite_{product}_(\d{{8}}_\d{{4}})(?:-hd5|\.hdf5|\.h5)"),
        _pattern(rf"(\d{{8}}_\d{{4}})_{product}\.(?:h5|hdf5)"),
    )
    latest = tuple(f"raa01-{product}_10000-latest-dwd---bin{end}" for end in (".bz2", ".hdf5", ".gz", ".h5", ""))
    shown = f"raa01-{product}_10000-YYMMDDHHMM-dwd---bin[.bz2|.gz|.hdf5], composite_{product}_YYYYMMDD_HHMM-hd5"
    return Naming(dated, (*latest, f"composite_{product}_LATEST-hd5"), shown)


NAMINGS = {
    "RV": Naming(
        (
            _pattern(r"composite_rv_(\d{8}_\d{4})\.tar(?:\.gz|\.bz2)?"),
            _pattern(r"DE1200_RV(\d{10})\.tar(?:\.gz|\.bz2)?"),
        ),
        (*(f"composite_rv_LATEST.tar{end}" for end in ("", ".bz2", ".gz")), "DE1200_RV_LATEST.tar.bz2"),
        "composite_rv_YYYYMMDD_HHMM.tar, DE1200_RVYYMMDDHHMM.tar.bz2",
    ),
    "RY": _of_minutes("ry"),
    "YW": _of_minutes("yw"),
}
"""The names by product, for the products that the feed can follow."""


class Listed(NamedTuple):
    """A file that a source lists.

    Parameters
    ----------
    name : str
        A plain name, of one of the patterns.
    time : datetime or None
        The time in the name, UTC; None for the fixed name of the newest file.
    version : str
        A text of the source's choice, which changes with the file as far as the source can detect.
    """

    name: str
    time: datetime | None
    version: str


def naming_of(product: str) -> Naming:
    """The names of a product's files; raises InvalidRequest for a product that cannot be followed."""
    if product not in NAMINGS:
        raise InvalidRequest(
            expected=f"a product of {', '.join(NAMINGS)}",
            got=repr(product[:20]),
            remedy="correct --product; files of other products can be sent to POST /frames",
        )
    return NAMINGS[product]


def listed(naming: Naming, name: str, version: str) -> Listed | None:
    """The file of that name; None if the name is not one of the product's, or has an impossible time."""
    if name.lower() in (latest.lower() for latest in naming.latest):
        return Listed(name, None, version)
    for pattern in naming.dated:
        if found := pattern.fullmatch(name):
            stamp = found[1]
            try:
                return Listed(name, datetime.strptime(stamp, _TIMES[len(stamp)]).replace(tzinfo=UTC), version)
            except ValueError:
                return None
    return None


def dated_or_latest(naming: Naming, files: list[Listed]) -> list[Listed]:
    """The files with a time, oldest first; without any, the newest file's fixed name.

    Of several forms for one time the binary comes first: its grid is that of the previous files.
    """
    dated = sorted((file for file in files if file.time), key=lambda f: (str(f.time), is_hdf5_name(f.name), f.name))
    usual = [name.lower() for name in naming.latest]
    return dated or sorted(files, key=lambda file: usual.index(file.name.lower()))[:1]


def is_hdf5_name(name: str) -> bool:
    """Whether a name is that of ODIM HDF5."""
    return name.lower().endswith(("hd5", ".hdf5", ".h5"))


def one_of_each_time(files: list[Listed], spoilt: Container[str]) -> list[Listed]:
    """The first file for each time, unless that one is spoilt and another is not; the order stays.

    Parameters
    ----------
    files : list of Listed
        Files of one time are consecutive, the best form first.
    spoilt : container of str
        Names of files that proved bad.
    """
    chosen: dict[object, Listed] = {}
    for file in files:
        key = file.time or file.name
        if key not in chosen or (chosen[key].name in spoilt and file.name not in spoilt):
            chosen[key] = file
    return list(chosen.values())


def why_not(name: str) -> str:
    """Why a name does not match, as far as it shows: the product in it, or that it has none."""
    found = re.match(r"(?:raa\d\d-|composite_|DE1200_)?([a-z%][a-z0-9])(?=[0-9._-])", name, re.IGNORECASE)
    code = found[1].upper() if found else ""
    known = PRODUCTS.get(code)
    if known is None:
        return f"{name}: its name has no known product"
    return f"{name}: product {code} by its name, {known.name}"
