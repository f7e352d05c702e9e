"""The most memory that a process has held so far."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def peak_bytes(process: int | Literal["self"] = "self") -> int:
    """Of this process or another: resident memory as Linux counts it.

    Not getrusage's, which begins with what the process had that started this one.
    """
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])
