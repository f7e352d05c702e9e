"""A circuit breaker: a store that failed is not used for a while, so that not every caller waits for its time-outs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from radar.errors import StoreUnavailable
from service.errors import StoredValueDamaged

T = TypeVar("T")

PAUSE_SECONDS = 5.0
"""Seconds for which a failed store is not used."""


class Breaker:
    """Uses a store, unless it has just failed.

    Parameters
    ----------
    store : str
        Its name in errors, e.g. "the history store".
    clock : callable
        Seconds, monotonic.
    harmless : tuple of exception types
        Kinds of StoreUnavailable after which the store is still used, since it works apart from that value.
    on_change : callable
        Called with the text of a new failure, and with "" when the store answers again.
    """

    def __init__(
        self,
        store: str,
        clock: Callable[[], float] = time.monotonic,
        harmless: tuple[type[StoreUnavailable], ...] = (StoredValueDamaged,),
        on_change: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._harmless = harmless
        self._on_change = on_change
        self._asked_again_from = float("-inf")
        self._fault = ""

    @property
    def is_open(self) -> bool:
        """Whether the store is not used now."""
        return self._clock() < self._asked_again_from

    def open(self) -> None:
        """Stop using the store for a while."""
        self._asked_again_from = self._clock() + PAUSE_SECONDS

    def ask(self, work: Callable[[], T]) -> T:
        """Return the result of `work`, or raise its error; raise StoreUnavailable at once while the breaker is open."""
        if self.is_open:
            raise StoreUnavailable(
                expected=f"an answer from {self._store}", got="none a moment ago", remedy="try again in 10 seconds"
            )
        try:
            done = work()
        except self._harmless:
            raise
        except StoreUnavailable as error:
            self.open()
            self._note(str(error))
            raise
        self._note("")
        return done

    def _note(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            self._on_change(fault)
