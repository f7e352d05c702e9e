"""One day of one series in the archive: its packed file, its loose frames, and how they are changed safely."""

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
"""Of a reader whose loose frames were packed under its hands."""

T = TypeVar("T")


class Added(NamedTuple):
    """What an addition did; frames that were there already are in neither number."""

    new: int
    corrected: int


@dataclass(frozen=True)
class StoredDay:
    """A day's files in the folder of a series. Readers need no lock; every change takes the day's."""

    folder: Path
    day: date

    @property
    def packed(self) -> Path:
        """The file of the packed frames, if there are any."""
        return self.folder / f"{self.day:%Y}" / f"{self.day}.nc"

    @property
    def loose_folder(self) -> Path:
        """Where frames lie until they are packed."""
        return self.folder / f"{self.day:%Y}" / str(self.day)

    def loose(self) -> list[Path]:
        """The files of frames that are not packed yet, in order of time."""
        return _listed(self.loose_folder, "[!.]*.nc")

    def files(self) -> list[Path]:
        """All there are of the day; the loose ones first."""
        # Listed in this order, nothing is overlooked by who reads while the day is packed: a loose file that is gone is
        # an error and read again, a packed one is old or new, but there.
        loose = self.loose()
        return [*loose, *([self.packed] if self.packed.exists() else [])]

    def series(self) -> Series:
        """What the day's frames are."""
        return retried(lambda: read_series(self.files()[0]))

    def times(self) -> list[datetime]:
        """Of all frames, oldest first; no pixel is read."""
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
        """Take the loose frames into the packed file; how many there were."""
        if not self.loose():
            return 0
        with self._locked():
            count = len(self.loose())
            if count:
                self._pack(self.series(), self.frames())
        return count

    def forget_before(self, time: datetime) -> int:
        """Remove the frames before `time`; how many there were. A damaged day goes, too, if all of it is older."""
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
                # Of a loose frame and a packed one the more corrected is the newer; a kill can leave either behind.
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
        """One writer of the day at a time; the lock goes with its process. What a killed one left is swept away."""
        year = self.packed.parent
        year.mkdir(parents=True, exist_ok=True)
        with locked(year / f".{self.day}.lock"):
            left = _listed(year, f".{self.packed.name}.*{TEMPORARY}") + _listed(self.loose_folder, f".*{TEMPORARY}")
            for path in left:
                path.unlink(missing_ok=True)
            yield


def stored_days(folder: Path, start: datetime | None = None, end: datetime | None = None) -> Iterator[StoredDay]:
    """The days of a series of which there is a file, from the day of `start` to that of `end`."""
    first = date.min if start is None else start.astimezone(UTC).date()
    last = date.max if end is None else end.astimezone(UTC).date()
    years = (year for year in folder.glob("[0-9][0-9][0-9][0-9]") if first.year <= int(year.name) <= last.year)
    for year in sorted(years):
        named = {match[1] for path in year.iterdir() if (match := _DAY.fullmatch(path.name))}
        days = (StoredDay(folder, date.fromisoformat(name)) for name in sorted(named))
        yield from (day for day in days if first <= day.day <= last and day.files())


def _listed(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder by name, in order; none where there is no folder, or no longer."""
    # Path.glob looks for the folder first and may find it gone when it lists it.
    with suppress(FileNotFoundError):
        return sorted(path for path in folder.iterdir() if fnmatchcase(path.name, pattern))
    return []


def retried(read: Callable[[], T]) -> T:
    """What `read` gives, tried again while files go away under its hands."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(FileNotFoundError):
            return read()
    return read()


def _with(
    before: Sequence[ArchivedFrame], frames: Iterable[ArchivedFrame], shape: tuple[int, int]
) -> tuple[list[ArchivedFrame], Added]:
    """Frames with others added: of two for one time the later, with one correction more if they differ.

    The added ones are first compared among themselves, so that adding them once more changes nothing.
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
