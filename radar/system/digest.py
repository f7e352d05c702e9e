"""The digest that identifies a file's content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from radar.system.regular_file import open_regular


def sha256_of(path: Path) -> str:
    """SHA-256 of a file of any size, hexadecimal; raises OSError, also for anything but a regular file."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
