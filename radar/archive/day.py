"""One day of one series in the archive: its packed file, its loose frames, and safe changes to both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple, TypeVar

from radar.archive.file import TEMPORARY, Series, read_frames, read_series, read_times, write_file
from radar.archive.frame import ArchivedFrame, same_rain
from radar.errors import UnreadableFile
from radar.sequence import midnight
from radar.system.locks import locked

_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(\.nc)?")
_ATTEMPTS = 5
"""Tries of a reader while a writer packs the day's loose frames."""

T = TypeVar("T")


class Added(NamedTuple):
    """The result of an addition; frames that existed already are in neither number."""

    new: int
    corrected: int


@dataclass(frozen=True)
class StoredDay:
    """A day's files in the folder of a series. Readers need no lock; every change takes the day's lock."""

    folder: Path
    day: date

    @property
    def packed(self) -> Path:
        """The path of the packed frames' file, which may not exist."""
        return self.folder / f"{self.day:%Y}" / f"{self.day}.nc"

    @property
    def loose_folder(self) -> Path:
        """The folder of frames that are not packed yet."""
        return self.folder / f"{self.day:%Y}" / str(self.day)

    def loose(self) -> list[Path]:
        """The files of the frames that are not packed yet, in order of time."""
        return _listed(self.loose_folder, "[!.]*.nc")

    def files(self) -> list[Path]:
        """All files of the day, the loose ones first."""
        # In this order a reader misses nothing while the day is packed: a loose file that disappears is an error, and
        # the day is read again; a packed file is the old or the new one, but always exists.
        loose = self.loose()
        return [*loose, *([self.packed] if self.packed.exists() else [])]

    def series(self) -> Series:
        """Product, grid and timestep of the day's frames."""
        return retried(lambda: read_series(self.files()[0]))

    def times(self) -> list[datetime]:
        """The times of all frames, oldest first; no pixel is read."""
        return retried(lambda: sorted({time for path in self.files() for time in read_times(path)}))

    def frames(
        self, start: datetime | None = None, end: datetime | None = None, *, pixels: bool = True
    ) -> list[ArchivedFrame]:
        """The frames from `start` to `end`, oldest first, still compressed; without `pixels` the chunks are empty."""
        return retried(lambda: self._merged(start, end, pixels))

    def add_loose(self, series: Series, frame: ArchivedFrame) -> Added:
        """Keep one frame in a file of its own."""
        with self._locked():
            before = self.frames(frame.valid_time, frame.valid_time)
            after, added = _with(before, [frame], series.grid.shape)
            if any(added):
                write_file(self._loose_file(frame.valid_time), series, after)
        return added

    def add_packed(self, series: Series, frames: Iterable[ArchivedFrame]) -> Added:
        """Keep frames and pack the day."""
        with self._locked():
            after, added = _with(self.frames(), frames, series.grid.shape)
            if any(added) or self.loose():
                self._pack(series, after)
        return added

    def pack(self) -> int:
        """Move the loose frames into the packed file; returns their number."""
        if not self.loose():
            return 0
        with self._locked():
            count = len(self.loose())
            if count:
                self._pack(self.series(), self.frames())
        return count

    def forget_before(self, time: datetime) -> int:
        """Remove the frames before `time`; returns their number. A damaged day is removed too if all of it is older."""
        with self._locked():
            try:
                frames = self.frames()
            except UnreadableFile:
                if time < midnight(self.day) + timedelta(days=1):
                    raise
                frames = []
            kept = [frame for frame in frames if frame.valid_time >= time]
            if kept and len(kept) < len(frames):
                self._pack(self.series(), kept)
            if not kept:
                self._remove_loose()
                self.packed.unlink(missing_ok=True)
        return len(frames) - len(kept)

    def _merged(self, start: datetime | None, end: datetime | None, pixels: bool) -> list[ArchivedFrame]:
        frames: dict[datetime, ArchivedFrame] = {}
        for path in self.files():
            if start is not None and start == end and path not in (self.packed, self._loose_file(start)):
                continue
            for frame in read_frames(path, start, end, pixels=pixels):
                loose = frames.get(frame.valid_time)
                # Of a loose and a packed frame the one with more corrections is newer; a kill can leave either behind.
                if loose is None or frame.corrections > loose.corrections:
                    frames[frame.valid_time] = frame
        return [frames[time] for time in sorted(frames)]

    def _pack(self, series: Series, frames: Sequence[ArchivedFrame]) -> None:
        write_file(self.packed, series, frames)
        self._remove_loose()

    def _remove_loose(self) -> None:
        for path in self.loose():
            path.unlink()
        with suppress(OSError):  # there is no folder, or it is not empty
            self.loose_folder.rmdir()

    def _loose_file(self, time: datetime) -> Path:
        return self.loose_folder / f"{time.astimezone(UTC):%H%M%S}.nc"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the day's lock, which ends with its process, and remove the leftovers of a killed writer."""
        year = self.packed.parent
        year.mkdir(parents=True, exist_ok=True)
        with locked(year / f".{self.day}.lock"):
            left = _listed(year, f".{self.packed.name}.*{TEMPORARY}") + _listed(self.loose_folder, f".*{TEMPORARY}")
            for path in left:
                path.unlink(missing_ok=True)
            yield


def stored_days(folder: Path, start: datetime | None = None, end: datetime | None = None) -> Iterator[StoredDay]:
    """The days of a series that have a file, from the day of `start` to that of `end`."""
    first = date.min if start is None else start.astimezone(UTC).date()
    last = date.max if end is None else end.astimezone(UTC).date()
    years = (year for year in folder.glob("[0-9][0-9][0-9][0-9]") if first.year <= int(year.name) <= last.year)
    for year in sorted(years):
        named = {match[1] for path in year.iterdir() if (match := _DAY.fullmatch(path.name))}
        days = (StoredDay(folder, date.fromisoformat(name)) for name in sorted(named))
        yield from (day for day in days if first <= day.day <= last and day.files())


def _listed(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder in order of their names; empty if the folder does not exist, or no longer does."""
    # Path.glob checks that the folder exists, and fails if it is removed before the listing.
    with suppress(FileNotFoundError):
        return sorted(path for path in folder.iterdir() if fnmatchcase(path.name, pattern))
    return []


def retried(read: Callable[[], T]) -> T:
    """The result of `read`, repeated while a writer removes files that it reads."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(FileNotFoundError):
            return read()
    return read()


def _with(
    before: Sequence[ArchivedFrame], frames: Iterable[ArchivedFrame], shape: tuple[int, int]
) -> tuple[list[ArchivedFrame], Added]:
    """Merge frames with others: of two for one time the later is kept, with one correction more if they differ.

    The added frames are first merged among themselves, so that adding them again changes nothing.
    """
    newest: dict[datetime, ArchivedFrame] = {}
    for frame in frames:
        _put(newest, frame, shape)
    after = {frame.valid_time: frame for frame in before}
    for frame in newest.values():
        _put(after, frame, shape)
    corrected = sum(f.corrections for f in after.values()) - sum(f.corrections for f in before)
    return [after[time] for time in sorted(after)], Added(len(after) - len(before), corrected)


def _put(kept: dict[datetime, ArchivedFrame], frame: ArchivedFrame, shape: tuple[int, int]) -> None:
    before = kept.get(frame.valid_time)
    if before is None:
        kept[frame.valid_time] = frame
    elif not same_rain(before, frame, shape):
        kept[frame.valid_time] = replace(frame, corrections=before.corrections + frame.corrections + 1)
