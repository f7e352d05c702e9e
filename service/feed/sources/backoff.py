"""The pause before the next request to a failed source."""

from __future__ import annotations

import random
from collections.abc import Callable


class BackOff:
    """The pause doubles with each failure, up to a bound; it is random, so that followers do not act in step.

    Parameters
    ----------
    interval_seconds : float
        Pause between two successful looks.
    longest_seconds : float
        The longest pause after any failure and any Retry-After.
    draw : callable
        Returns a random number from 0 to 1.
    """

    def __init__(
        self, interval_seconds: float, longest_seconds: float = 300.0, draw: Callable[[], float] = random.random
    ) -> None:
        self._interval, self._longest, self._draw = interval_seconds, max(longest_seconds, interval_seconds), draw
        self._failures = 0

    def succeeded(self) -> float:
        """Seconds to wait after a successful look."""
        self._failures = 0
        return self._interval

    def failed(self, retry_after_seconds: float | None = None) -> float:
        """Seconds to wait after a failure: at random half to all of a span that doubles each time."""
        self._failures = min(self._failures + 1, 32)
        span = min(self._longest, self._interval * 2.0**self._failures)
        waited = span * (0.5 + 0.5 * self._draw())
        return float(min(self._longest, max(waited, retry_after_seconds or 0.0)))
