"""Files that others may have put there: only regular ones are read, and no more of them than is expected."""

from __future__ import annotations

import errno
import json
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any

MOST_JSON_BYTES = 64 * 2**20
"""Of a JSON file that is read whole: manifests with thousands of scores have some megabytes."""


def is_regular(path: Path) -> bool:
    """Whether it is a file, or a link to one: no folder, pipe, device or link to nothing."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def open_regular(path: Path) -> BufferedReader:
    """A file to be read; raises OSError for anything else, and does not wait for a pipe's writer."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", path.name)
    return os.fdopen(handle, "rb")


def read_lines(path: Path) -> list[bytes]:
    """The lines of a file; none where there is none. Raises OSError for what is no file."""
    try:
        with open_regular(path) as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def read_json(path: Path) -> Any:  # noqa: ANN401 - what JSON holds
    """The content of a JSON file; raises OSError, or ValueError for what is no JSON, too large or too deep."""
    with open_regular(path) as file:
        content = file.read(MOST_JSON_BYTES + 1)
    if len(content) > MOST_JSON_BYTES:
        raise ValueError(f"more than {MOST_JSON_BYTES // 2**20} MiB")
    return parse_json(content)


def parse_json(content: bytes) -> Any:  # noqa: ANN401 - what JSON holds
    """JSON as RFC 8259 has it, without NaN and Infinity; raises ValueError, for brackets without end as well."""
    try:
        return json.loads(content, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("brackets too deep") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
