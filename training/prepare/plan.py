"""The plan of a preparation: files divided into pieces of work that fit into memory, without finished ones."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from radar.errors import RaincellError
from radar.files.netcdf.reader import netcdf_times
from radar.files.open import holds_sequence
from radar.files.rydl import is_rydl_file, rydl_times
from radar.system.regular_file import is_regular

_TIME_IN_NAME = re.compile(r"(?<!\d)(?:20|19)?(\d{6})[_T-]?(\d{4})(?!\d)")
_FILES_AT_ONCE = 288
"""The most frames of a piece: a day, kept compressed in at most 100 MB if it rains everywhere."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, or the days from `start` to `end` of a file with years of frames."""

    path: str
    size: int
    modified_ns: int
    start: datetime | None = None
    end: datetime | None = None
    is_first: bool = True

    @property
    def key(self) -> str:
        """The name in the journal."""
        part = f"@{self.start:%Y-%m-%d}" if self.start else ""
        return f"{self.path}{part}|{self.size}|{self.modified_ns}"


Task = tuple[Piece, ...]


def find_files(sources: Iterable[Path]) -> list[Path]:
    """All files of the sources, including those in folders, in order and each once; hidden files are left out.

    Raises
    ------
    FileNotFoundError
        A source does not exist.
    """
    found: dict[Path, None] = {}
    for source in sources:
        if not source.exists():
            raise FileNotFoundError(f"expected files or folders of radar data, got no {source}; check the name")
        found |= dict.fromkeys(_walk(source.resolve()) if source.is_dir() else [source.resolve()])
    return list(found)


def plan(files: Sequence[Path], done: Iterable[str], variable: str | None = None) -> list[Task]:
    """Tasks of at most a day of files each; files with the same day in their names form one task.

    Each day is then written once. Names are used only for grouping; the frames' times come from the files.
    """
    left_out = set(done)
    groups: dict[str, list[Piece]] = defaultdict(list)
    for path in files:
        piece = _piece(path)
        if piece.key not in left_out:
            groups[_day_in_name(path)].append(piece)
    tasks = (task for day in sorted(groups) for task in _tasks(groups[day], variable))
    return [left for task in tasks if (left := tuple(piece for piece in task if piece.key not in left_out))]


def _piece(path: Path) -> Piece:
    """The piece of a file; a broken link, a removed file or anything but a file fails when its turn comes."""
    try:
        status = path.stat()
    except OSError:
        return Piece(str(path), 0, 0)
    return Piece(str(path), status.st_size, status.st_mtime_ns)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _day_in_name(path: Path) -> str:
    """YYMMDD in a name, for grouping only: midnight, the end of an interval, would belong to the previous day."""
    match = _TIME_IN_NAME.search(path.name)
    return match[1] if match else ""


def _tasks(pieces: Sequence[Piece], variable: str | None) -> Iterator[Task]:
    small: list[Piece] = []
    for piece in pieces:
        if _holds_sequence(Path(piece.path)):
            yield from ((part,) for part in _days(piece, variable))
        else:
            small.append(piece)
    for first in range(0, len(small), _FILES_AT_ONCE):
        yield tuple(small[first : first + _FILES_AT_ONCE])


def _holds_sequence(path: Path) -> bool:
    try:
        return is_regular(path) and holds_sequence(path)
    except (RaincellError, OSError):
        return False  # its error is reported when its turn comes


def _days(piece: Piece, variable: str | None) -> Iterator[Piece]:
    """A file of years as pieces of one day; one that cannot be opened stays whole, and fails when its turn comes."""
    path = Path(piece.path)
    try:
        times = sorted(rydl_times(path) if is_rydl_file(path) else netcdf_times(path, variable))
    except (RaincellError, OSError):
        times = []
    if not times:
        yield piece
    for _, members in groupby(times, key=lambda time: time.astimezone(UTC).date()):
        of_day = list(members)
        yield replace(piece, start=of_day[0], end=of_day[-1], is_first=of_day[0] == times[0])
