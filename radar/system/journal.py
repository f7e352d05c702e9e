"""Files of JSON lines that only grow. A line counts once it ends; an unfinished one, left by a kill, is skipped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from radar.system.durable import sync
from radar.system.regular_file import parse_json, read_lines

Line = dict[str, Any]


def append_lines(path: Path, lines: Iterable[Mapping[str, Any]], *, compact: bool = False) -> None:
    """Add objects at the end of a file, one per line; they are on disk when this returns.

    A line that a killed process left unfinished is ended first.

    Raises
    ------
    OSError
        The disk fails.
    ValueError
        An object holds NaN or infinity, which JSON does not have.
    """
    separators = (",", ":") if compact else None
    text = "".join(json.dumps(line, separators=separators, allow_nan=False) + "\n" for line in lines).encode()
    new = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        _write_all(handle, text if _is_whole(handle) else b"\n" + text)
        os.fsync(handle)
    finally:
        os.close(handle)
    if new:
        sync(path.parent)


def _is_whole(handle: int) -> bool:
    size = os.fstat(handle).st_size
    return not size or os.pread(handle, 1, size - 1) == b"\n"


def _write_all(handle: int, text: bytes) -> None:
    while text:
        text = text[os.write(handle, text) :]


def parse_line(text: bytes) -> Line | None:
    """The object of a line; None for anything else."""
    try:
        line = parse_json(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def journal_lines(path: Path) -> Iterator[Line]:
    """The objects of a file, oldest first; none if the file is missing. Raises OSError for anything but a file."""
    return (line for text in read_lines(path) if (line := parse_line(text)) is not None)


def lines_and_damage(path: Path) -> tuple[list[Line], list[int]]:
    """The objects of a file, oldest first, and the numbers, from 1, of lines that hold none; raises as `journal_lines`.

    Empty lines are no damage.
    """
    parsed = {number: parse_line(text) for number, text in enumerate(read_lines(path), 1) if text.strip()}
    damaged = [number for number, line in parsed.items() if line is None]
    return [line for line in parsed.values() if line is not None], damaged
