"""Files of JSON lines that only grow: several processes write, each to files of its own, and any process reads.

    FOLDER/<kind>-<YYYYMMDD>.<writer>.jsonl

A line counts once it ends; unfinished lines, which a crash or a full disk leaves, are skipped. Files are named by the
UTC day that their lines are about, so that a reader of a week opens a week's files.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from radar.system.durable import sync
from radar.system.journal import Line, append_lines, parse_line
from radar.system.regular_file import open_regular

QUIET_DAYS = 10
"""A day is closed after so many days without an addition: longer than any run or frame is kept."""
MOST_LINE_BYTES = 2**20
"""The most bytes of a line: a record of a dozen models has some kilobytes."""


class LogFile(NamedTuple):
    """A file of the log: the day that its lines are about, and its path."""

    day: date
    path: Path


class AppendLog:
    """Adds lines to files that no other process writes.

    Parameters
    ----------
    folder : Path
        Created if missing.
    kind : str
        The kind of lines, in letters; it begins the files' names.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder, self._kind = folder, kind
        self._writer = _new_writer()

    def append(self, time: datetime, lines: Sequence[Mapping[str, Any]]) -> None:
        """Add lines about the day of `time`; they are on disk when this returns. Raises OSError."""
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            sync(self._folder.parent)
        path = self._folder / f"{self._kind}-{time.astimezone(UTC):%Y%m%d}.{self._writer}.jsonl"
        try:
            append_lines(path, lines, compact=True)
        except OSError:
            self._writer = _new_writer()  # a new file, so that the next line does not join an unfinished one
            raise


class LogFollower:
    """Reads a log again and again, each line once.

    Parameters
    ----------
    folder : Path
        It may not exist yet.
    kind : str
    first, last : date or None
        Days to read; all if not given.
    without : set of date
        Days to skip.
    """

    def __init__(
        self,
        folder: Path,
        kind: str,
        first: date | None = None,
        last: date | None = None,
        without: Container[date] = (),
    ) -> None:
        self._folder, self._kind, self._without = folder, kind, without
        self._first, self._last = first or date.min, last or date.max
        self._offsets: dict[Path, int] = {}
        self.damaged = 0
        """The number of whole lines that are not JSON objects."""
        self.unreadable: dict[str, str] = {}
        """Why files cannot be read, by name: folders, pipes, devices, broken links."""

    def read(self) -> Iterator[Line]:
        """Yield the lines that were added since the last call, day by day; raises OSError.

        A file that cannot be read is skipped, and noted in `unreadable`.
        """
        for day, path in log_files(self._folder, self._kind):
            if self._first <= day <= self._last and day not in self._without:
                yield from self._new_lines(path)

    def _new_lines(self, path: Path) -> Iterator[Line]:
        try:
            file = open_regular(path)
        except FileNotFoundError:  # its day was settled meanwhile
            return
        except OSError as error:
            self.unreadable[path.name] = error.strerror or type(error).__name__
            return
        self.unreadable.pop(path.name, None)
        with file:
            file.seek(self._offsets.get(path, 0))
            while text := file.readline(MOST_LINE_BYTES):
                if not text.endswith(b"\n") and len(text) < MOST_LINE_BYTES:
                    return  # the line is still being written, or was left by a crash
                self._offsets[path] = file.tell()
                yield from self._line(text)

    def _line(self, text: bytes) -> Iterator[Line]:
        if (line := parse_line(text)) is not None:
            yield line
        else:
            self.damaged += 1


class RecordFollower:
    """Base of the readers of records: counts the parts of the log that cannot be read."""

    def __init__(self, log: LogFollower) -> None:
        self._log = log
        self._no_records = 0

    @property
    def damaged(self) -> int:
        """The number of whole lines that are not records of this version."""
        return self._log.damaged + self._no_records

    @property
    def unreadable(self) -> dict[str, str]:
        """Why files cannot be read, by name."""
        return self._log.unreadable


def log_files(folder: Path, kind: str) -> list[LogFile]:
    """The files of a log in the order of their days."""
    pattern = re.compile(rf"{kind}-(\d{{8}})\.[A-Za-z0-9-]+\.jsonl")
    try:
        found = [(pattern.fullmatch(path.name), path) for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    dated = [(day_of(match[1]), path) for match, path in found if match]
    return sorted(LogFile(day, path) for day, path in dated if day)


def day_of(text: str) -> date | None:
    """The day that a text YYYYMMDD names; None for any other text."""
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None


def days_over(folder: Path, kind: str, days: int, now: datetime) -> dict[date, list[Path]]:
    """The files of closed days, to which nothing is added, that are older than the newest day by more than `days`."""
    files = log_files(folder, kind)
    if not files:
        return {}
    oldest, quiet = files[-1].day - timedelta(days=days), now.timestamp() - 86400 * QUIET_DAYS
    by_day: dict[date, list[Path]] = {}
    for file in files:
        by_day.setdefault(file.day, []).append(file.path)
    return {day: paths for day, paths in by_day.items() if day < oldest and max(map(_modified, paths)) < quiet}


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return float("-inf")


def _new_writer() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}"
