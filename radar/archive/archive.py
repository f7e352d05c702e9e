"""The append-only archive of radar frames: years of observations on disk, by product and grid, one file for each day.

    ROOT/<product>/<grid>/<YYYY>/<YYYY-MM-DD>.nc           a packed day
    ROOT/<product>/<grid>/<YYYY>/<YYYY-MM-DD>/<HHMMSS>.nc  loose frames, newer than what is packed
    ROOT/manifest.json

Both kinds have one format (radar/archive/file.py). Files are only replaced whole, by a rename, and a loose frame is
removed once the packed day that contains it is safely on disk. A kill at any moment loses no frame and counts none
twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from radar.archive.day import Added, StoredDay, stored_days
from radar.archive.file import Series
from radar.archive.frame import ArchivedFrame, archived
from radar.archive.manifest import make_manifest, read_manifest, save_manifest
from radar.errors import GridMismatch, IncompleteHistory, InvalidRequest, UnknownProduct, UnreadableFile
from radar.frame import forecast_refused
from radar.sequence import FrameSequence, iso
from radar.times import Gap, gaps, runs_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,59}")


class Archive:
    """Accepted frames of rain on disk; any number of processes may write and read at once.

    Rates are kept in steps of 0.01 mm/h up to 655.34 mm/h; higher rates are saturated, and counted in the manifest. NaN
    stays NaN. Adding the same frame again changes nothing. Another frame for the same time is a correction: the latest
    one is kept, and corrections are counted. Writers of one day wait for each other (flock); readers never wait.

    Parameters
    ----------
    root : str or Path
        Created with the first frame. An empty or missing folder is an empty archive.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def append(self, sequence: FrameSequence) -> int:
        """Keep frames, each in a file of its own until its day is packed; returns the number of new times.

        Raises
        ------
        InvalidRequest
            The sequence is a forecast, or its product cannot name a folder.
        GridMismatch
            The archive holds this product and grid with another timestep.
        """
        if sequence.reference_time is not None:
            raise forecast_refused(sequence.reference_time, "to be archived")
        series = Series(sequence.product, sequence.grid, sequence.timestep_minutes)
        folder = self._folder_for(series)
        frames = (archived(rain, time) for rain, time in zip(sequence.rain_rate, sequence.valid_times, strict=True))
        return sum(StoredDay(folder, _day(frame)).add_loose(series, frame).new for frame in frames)

    def add_days(self, series: Series, frames: Iterable[ArchivedFrame]) -> Added:
        """Keep many frames of any days in any order, and pack each day at once.

        Of two frames for one time the later one is kept. Raises the errors of `append`.
        """
        folder = self._folder_for(series)
        by_day = groupby(sorted(frames, key=_day), key=_day)  # sorted keeps the order within a day
        added = [StoredDay(folder, day).add_packed(series, members) for day, members in by_day]
        return Added(sum(a.new for a in added), sum(a.corrected for a in added))

    def products(self) -> list[tuple[str, str]]:
        """Pairs of product and grid key, in order."""
        pairs = ((path.parent.name, path.name) for path in self.root.glob("*/*") if path.is_dir())
        named = (pair for pair in pairs if all(map(_NAME.fullmatch, pair)))
        return sorted(pair for pair in named if any(self.days(*pair)))

    def series(self, product: str, grid: str) -> Series:
        """The product, grid and timestep of a pair from `products`; raises UnknownProduct."""
        there = _series(self.days(product, grid))
        if there is not None:
            return there
        raise UnknownProduct(
            expected="one of " + (", ".join(" on ".join(pair) for pair in self.products()) or "no products at all"),
            got=f"{product[:60]!r} on {grid[:60]!r}",
            remedy="name a product and a grid that the archive holds, or prepare them first",
        )

    def days(
        self, product: str, grid: str, start: datetime | None = None, end: datetime | None = None
    ) -> Iterator[StoredDay]:
        """The days with at least one frame, in order, from the day of `start` to that of `end`."""
        return stored_days(self._folder(product, grid), start, end)

    def times(
        self, product: str, grid: str, start: datetime | None = None, end: datetime | None = None
    ) -> list[datetime]:
        """UTC times of the frames from `start` to `end`, both included, oldest first; raises UnknownProduct."""
        self.series(product, grid)
        found = (time for day in self.days(product, grid, start, end) for time in day.times())
        return [time for time in found if (start or time) <= time <= (end or time)]

    def gaps(self, product: str, grid: str, start: datetime | None = None, end: datetime | None = None) -> list[Gap]:
        """First and last missing time of each gap from `start` to `end`; by default from first to last frame."""
        step = self.series(product, grid).timestep
        return gaps(self.times(product, grid, start, end), step, start, end)

    def read(self, product: str, grid: str, start: datetime, end: datetime) -> FrameSequence:
        """The frames from `start` to `end`, both included.

        Raises
        ------
        IncompleteHistory
            A frame in that period is missing; the error names the gap.
        UnknownProduct
            No such frame was ever archived.
        UnreadableFile
            A file is damaged; the error names it.
        """
        series, missing = self.series(product, grid), self.gaps(product, grid, start, end)
        if missing or end < start:
            others = f", and {len(missing) - 1} other gaps" if len(missing) > 1 else ""
            gap = f"none from {iso(missing[0][0])} to {iso(missing[0][1])}" if missing else "an end before the start"
            raise IncompleteHistory(
                expected=f"frames of {product} on {grid} from {iso(start)} to {iso(end)}",
                got=gap + others,
                remedy="ask for a time without gaps; Archive.gaps lists them",
            )
        days = self.days(product, grid, start, end)
        return _sequence(series, [frame for day in days for frame in day.frames(start, end)])

    def iter_days(
        self,
        product: str,
        grid: str,
        start: datetime | None = None,
        end: datetime | None = None,
        longest: int = 288,
    ) -> Iterator[FrameSequence]:
        """Yield sequences of at most one day and at most `longest` frames; a gap ends a sequence."""
        series = self.series(product, grid)
        for day in self.days(product, grid, start, end):
            frames = day.frames(start, end)
            for run in runs_of(frames, lambda frame: frame.valid_time, series.timestep, longest):
                yield _sequence(series, run)

    def pack(self, day: date) -> int:
        """Move the loose frames of a day, of every product, into the day's file; returns their number."""
        return sum(StoredDay(self._folder(*pair), day).pack() for pair in self.products())

    def forget_before(self, time: datetime, product: str | None = None) -> int:
        """Remove all frames before `time`, of one product or of every one; returns their number.

        Raises
        ------
        UnreadableFile
            The day of `time` is damaged. A damaged day before it is removed, uncounted.
        """
        pairs = [pair for pair in self.products() if product in (None, pair[0])]
        days = [day for pair in pairs for day in self.days(*pair, end=time)]
        return sum(day.forget_before(time) for day in days)

    def manifest(self) -> dict[str, Any]:
        """The archive's content (docs/reference/archive.md). Files unchanged since the last manifest are not read."""
        return make_manifest(self, read_manifest(self.root))

    def write_manifest(self, sources: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write `manifest` to ROOT/manifest.json by a rename; `sources` lists prepared files, None keeps the list."""
        manifest = self.manifest()
        if sources is not None:
            manifest["sources"] = sources
        save_manifest(self.root, manifest)
        return manifest

    def _folder(self, product: str, grid: str) -> Path:
        for name in (product, grid):
            if not _NAME.fullmatch(name):
                raise InvalidRequest(
                    expected="a product and a grid named with letters, digits, - . _ and +",
                    got=f"{name[:60]!r}",
                    remedy="give the frames a product name",
                )
        return self.root / product / grid

    def _folder_for(self, series: Series) -> Path:
        """The folder of a series; raises GridMismatch if its frames there have another timestep."""
        folder = self._folder(series.product, series.grid.key)
        there = _series(stored_days(folder)) or series
        if there != series:
            raise GridMismatch(
                expected=f"{there.product} on {there.grid.key} every {there.timestep_minutes} minutes, as archived",
                got=f"frames every {series.timestep_minutes} minutes",
                remedy="give the other frames another product name, or another archive",
            )
        return folder


def _series(days: Iterable[StoredDay]) -> Series | None:
    """The series of the first readable day; None without any day. Raises UnreadableFile if no day can be read."""
    damaged: UnreadableFile | None = None
    for day in days:
        try:
            return day.series()
        except UnreadableFile as error:
            damaged = damaged or error
    if damaged is not None:
        raise damaged
    return None


def _day(frame: ArchivedFrame) -> date:
    return frame.valid_time.astimezone(UTC).date()


def _sequence(series: Series, frames: Sequence[ArchivedFrame]) -> FrameSequence:
    rain = np.empty((len(frames), *series.grid.shape), np.float32)
    for index, frame in enumerate(frames):
        rain[index] = frame.rain_rate(series.grid.shape)
    times = tuple(frame.valid_time for frame in frames)
    return FrameSequence(rain, times, series.grid, series.timestep_minutes, series.product)
