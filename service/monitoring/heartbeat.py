"""A heartbeat file for the health checks of processes without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def beating(wait: Callable[[float], bool], path: Path | None) -> Callable[[float], bool]:
    """A `wait` that also touches a file, for a loop that calls it in every turn; the same `wait` without a file."""
    if path is None:
        return wait

    def touch_and_wait(seconds: float) -> bool:
        path.touch()
        return wait(seconds)

    return touch_and_wait
