"""A sign of life for the health checks of processes that nobody can ask over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def beating(wait: Callable[[float], bool], path: Path | None) -> Callable[[float], bool]:
    """`wait`, which a loop calls in every turn, after touching a file; just `wait` without one."""
    if path is None:
        return wait

    def touch_and_wait(seconds: float) -> bool:
        path.touch()
        return wait(seconds)

    return touch_and_wait
