"""Files that exist whole or not at all, also after a kill or a loss of power at any moment."""

from __future__ import annotations

import os
from pathlib import Path


def commit(temporary: Path, path: Path) -> None:
    """Move a written file to its place durably: first its contents reach the disk, then its name."""
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file; readers, also after a crash, see the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text)
        commit(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # a full disk may have left a part of it


def place_folder(made: Path, target: Path) -> None:
    """Move a folder of files to its place durably, by a rename: readers, also after a crash, see it whole.

    Raises OSError if the target exists and is not empty.
    """
    for path in (*made.rglob("*"), made):
        sync(path)
    made.rename(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Wait until a file's contents, or a folder's names, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
