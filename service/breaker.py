"""A store that failed is left alone for a while: not every caller should wait for its time-outs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from radar.errors import StoreUnavailable
from service.errors import StoredValueDamaged

T = TypeVar("T")

PAUSE_SECONDS = 5.0
"""How long a store that failed is not asked again."""


class Breaker:
    """Asks a store, unless it failed a moment ago.

    Parameters
    ----------
    clock : callable
        Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._asked_again_from = float("-inf")

    def ask(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises; StoreUnavailable at once while the store is left alone."""
        if self._clock() < self._asked_again_from:
            raise StoreUnavailable(
                expected="an answer from the run store", got="none a moment ago", remedy="try again in 10 seconds"
            )
        try:
            return work()
        except StoredValueDamaged:
            raise  # it answers for all else
        except StoreUnavailable:
            self._asked_again_from = self._clock() + PAUSE_SECONDS
            raise
