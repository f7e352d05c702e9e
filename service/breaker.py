"""A store that failed is left alone for a while: not every caller should wait for its time-outs."""

from __future__ import annotations

import time
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
    store : str
        Its name in errors, e.g. "the history store".
    clock : callable
        Seconds, monotonic.
    harmless : tuple of exception types
        Kinds of StoreUnavailable after which the store is asked again at once, since it answers for all else.
    on_change : callable
        Given the text of a failure that is new, and "" when the store answers again.
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
        """Whether the store is left alone now."""
        return self._clock() < self._asked_again_from

    def open(self) -> None:
        """Leave the store alone for a while."""
        self._asked_again_from = self._clock() + PAUSE_SECONDS

    def ask(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises; StoreUnavailable at once while the store is left alone."""
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
