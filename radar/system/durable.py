"""Files that are there whole or not at all, whatever is killed or loses power when."""

from __future__ import annotations

import os
from pathlib import Path


def commit(temporary: Path, path: Path) -> None:
    """Put a written file in its place for good: its contents first, then its name."""
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file, so that a reader, or a run after a crash, sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text)
        commit(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # what a full disk left of it


def place_folder(made: Path, target: Path) -> None:
    """Put a folder of files in its place for good, by a rename: a reader, or a run after a crash, sees it whole.

    Raises OSError where there is one with files in it.
    """
    for path in (*made.rglob("*"), made):
        sync(path)
    made.rename(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Wait until a file's contents, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
