"""The pause before a source that failed is asked again."""

from __future__ import annotations

import random
from collections.abc import Callable


class BackOff:
    """Twice as long after each failure, up to a bound, and spread at random so that followers do not march in step.

    Parameters
    ----------
    interval_seconds : float
        Between two looks while all goes well.
    longest_seconds : float
        The most to wait, whatever fails, and whatever Retry-After says.
    draw : callable
        A random number of 0 to 1.
    """

    def __init__(
        self, interval_seconds: float, longest_seconds: float = 300.0, draw: Callable[[], float] = random.random
    ) -> None:
        self._interval, self._longest, self._draw = interval_seconds, max(longest_seconds, interval_seconds), draw
        self._failures = 0

    def succeeded(self) -> float:
        """Seconds to wait after a look at which all went well."""
        self._failures = 0
        return self._interval

    def failed(self, retry_after_seconds: float | None = None) -> float:
        """Seconds to wait after a failure: half to all of a span that doubles each time."""
        self._failures = min(self._failures + 1, 32)
        span = min(self._longest, self._interval * 2.0**self._failures)
        waited = span * (0.5 + 0.5 * self._draw())
        return float(min(self._longest, max(waited, retry_after_seconds or 0.0)))
