"""The digest of a data set on disk: the names and contents of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from radar.system.digest import sha256_of


def joint_sha256(digests: Iterable[str]) -> str:
    """One digest of many, independent of their order; empty without any."""
    lines = sorted(digests)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""


def folder_sha256(folder: Path, *, show: bool = True) -> str:
    """The digest of all files in a folder, at any depth, by name and content; hidden files do not count.

    Reads every byte once, with progress where `show`.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _is_hidden(path.relative_to(folder))]
    listed = tqdm(files, "digest of the data", unit=" files", disable=not show, leave=False)
    return joint_sha256(f"{sha256_of(path)} {path.relative_to(folder).as_posix()}" for path in listed)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def data_set_records(name: str, folder: Path, *, show: bool = True) -> tuple[dict[str, Any], ...]:
    """The manifest's records of a published data set, as JSON values; they do not name its weather."""
    return ({"name": name, "part": "train", "sha256": folder_sha256(folder, show=show), "data_set": True},)
