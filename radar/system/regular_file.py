"""Files from other hands: only regular files are read, and only up to the expected size."""

from __future__ import annotations

import errno
import json
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any

MOST_JSON_BYTES = 64 * 2**20
"""Largest JSON file that is read whole: manifests with thousands of scores have some megabytes."""


def is_regular(path: Path) -> bool:
    """Whether a path is a file or a link to one, and not a folder, pipe, device or broken link."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading; raises OSError for anything else, and does not wait for a pipe's writer."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", path.name)
    return os.fdopen(handle, "rb")


def read_lines(path: Path) -> list[bytes]:
    """The lines of a file; none if it is missing. Raises OSError for anything but a file."""
    try:
        with open_regular(path) as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def read_json(path: Path) -> Any:  # noqa: ANN401 - what JSON holds
    """The content of a JSON file; raises OSError, or ValueError if it is not JSON, too large or too deep."""
    with open_regular(path) as file:
        content = file.read(MOST_JSON_BYTES + 1)
    if len(content) > MOST_JSON_BYTES:
        raise ValueError(f"more than {MOST_JSON_BYTES // 2**20} MiB")
    return parse_json(content)


def parse_json(content: bytes) -> Any:  # noqa: ANN401 - what JSON holds
    """Parse JSON as in RFC 8259, without NaN and Infinity; raises ValueError, also for too deeply nested brackets."""
    try:
        return json.loads(content, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("brackets nested too deeply") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
