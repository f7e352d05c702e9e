"""The time of each part of a request, in the Server-Timing header."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Timings:
    """Milliseconds by name, in the order of measurement.

    Parameters
    ----------
    note : callable
        Called with every name and its seconds, e.g. for metrics.
    """

    def __init__(self, note: Callable[[str, float], object] = lambda _name, _seconds: None) -> None:
        self._milliseconds: dict[str, float] = {}
        self._note = note

    def measured(self, name: str, work: Callable[[], T]) -> Callable[[], T]:
        """The same work, timed when it runs."""

        def run() -> T:
            start = time.perf_counter()
            try:
                return work()
            finally:
                self.add(name, time.perf_counter() - start)

        return run

    def add(self, name: str, seconds: float) -> None:
        """Add a time that was measured elsewhere."""
        self._milliseconds[name] = 1000 * seconds
        self._note(name, seconds)

    def header(self) -> str:
        """The value of Server-Timing, e.g. "decode;dur=12.3, forecast;dur=4567.8"."""
        return ", ".join(f"{name};dur={value:.1f}" for name, value in self._milliseconds.items())
