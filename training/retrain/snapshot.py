"""A frozen copy of the newest days of an archive, made of hard links, since an archive's files never change.

A link keeps its content when the archive packs, corrects or removes that day. Where links are impossible, e.g. on
another disk, files are copied.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tqdm import tqdm

from radar.archive.archive import Archive
from radar.archive.day import StoredDay, retried
from radar.archive.file import Series
from radar.errors import IncompleteHistory, UnreadableFile
from radar.grid import same_pixel_size
from radar.system.digest import sha256_of

Pair = tuple[str, str]
"""Product and grid key."""


@dataclass(frozen=True)
class Wanted:
    """The frames that fit the model.

    Parameters
    ----------
    timestep_minutes : int
    pixel_size_km : float
        The frames' pixel size may differ by 2 %.
    smallest : int
        The least rows and columns, those of a training crop.
    products : tuple of str
        The wanted products; all if empty.
    newest_days : int
        0 for all.
    """

    timestep_minutes: int
    pixel_size_km: float
    smallest: int
    products: tuple[str, ...] = ()
    newest_days: int = 0

    def refuses(self, series: Series) -> str | None:
        """Why frames of a series cannot be used; None if they can."""
        if self.products and series.product not in self.products:
            return "a product that the configuration does not name"
        if series.timestep_minutes != self.timestep_minutes:
            return f"every {series.timestep_minutes} minutes, the model every {self.timestep_minutes}"
        if not same_pixel_size(series.grid.pixel_size_km, self.pixel_size_km):
            return f"pixels of {series.grid.pixel_size_km:g} km, the model's {self.pixel_size_km:g}"
        if min(series.grid.shape) < self.smallest:
            return f"{series.grid.shape[0]} x {series.grid.shape[1]} pixels, a crop {self.smallest}"
        return None


@dataclass(frozen=True)
class Snapshot:
    """The frozen days, and the left out ones with the reason."""

    archive: Archive
    series: list[Series]
    left_out: list[tuple[str, str]]

    def files(self) -> Iterator[tuple[str, str]]:
        """Names and digests of its files, in order."""
        files = [path for path in sorted(self.archive.root.rglob("*.nc")) if path.is_file()]
        for path in tqdm(files, "digests", unit=" files", leave=False):
            yield path.relative_to(self.archive.root).as_posix(), sha256_of(path)


def freeze(archive: Archive, folder: Path, wanted: Wanted) -> Snapshot:
    """Link the newest days of all series that fit into `folder`, an archive of its own.

    Raises
    ------
    IncompleteHistory
        No frames fit; the error names the reasons.
    """
    fitting: list[Pair] = []
    left_out: list[tuple[str, str]] = []
    for pair in archive.products():
        refused = _refused(archive, pair, wanted)
        if refused is None:
            fitting.append(pair)
        else:
            left_out.append((" on ".join(pair), refused))
    start = _start(archive, fitting, wanted)
    days = [day for pair in fitting for day in archive.days(*pair, start)]
    for day in tqdm(days, "days", leave=False):
        try:
            _link_day(day, archive.root, folder)
        except UnreadableFile as error:
            left_out.append((f"{day.folder.parent.name} on {day.folder.name}, {day.day}", str(error)))
    frozen = Archive(folder)
    return Snapshot(frozen, [frozen.series(*pair) for pair in frozen.products()], left_out)


def _refused(archive: Archive, pair: Pair, wanted: Wanted) -> str | None:
    """Why a series cannot be used, from its first readable day; None if it can."""
    for day in archive.days(*pair):
        with suppress(UnreadableFile):
            return wanted.refuses(day.series())
    return "no readable day"


def _start(archive: Archive, pairs: list[Pair], wanted: Wanted) -> datetime | None:
    """The first day to take; None for all."""
    newest = [times[-1] for pair in pairs if (times := _newest_times(archive, pair))]
    if not newest:
        there = ", ".join(" on ".join(pair) for pair in archive.products())
        raise IncompleteHistory(
            expected=f"frames every {wanted.timestep_minutes} minutes, of {wanted.pixel_size_km:g} km",
            got=f"an archive of {there or 'nothing'}",
            remedy="check --archive, parts.products, and that the model fits the archive",
        )
    return max(newest) - timedelta(days=wanted.newest_days) if wanted.newest_days else None


def _newest_times(archive: Archive, pair: Pair) -> list[datetime]:
    """The times of the newest readable day."""
    for day in reversed(list(archive.days(*pair))):
        with suppress(UnreadableFile):
            return day.times()
    return []


def _link_day(day: StoredDay, root: Path, folder: Path) -> None:
    """Link a consistent state of a day; raises UnreadableFile, before any link, for a damaged one."""

    def link() -> None:
        day.frames(pixels=False)
        for path in day.files():
            _link(path, folder / path.relative_to(root))

    retried(link)


def _link(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except FileExistsError:  # linked by an earlier try, while the day was packed
        target.unlink()
        _link(path, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        shutil.copy2(path, target)
