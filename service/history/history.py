"""The history for routes: the store, or this process's copy in memory while the store does not answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, TypeVar

from radar.errors import StoreUnavailable
from radar.sequence import FrameSequence
from service.breaker import Breaker
from service.errors import StoredValueDamaged, StoreFull
from service.history.codec import SeriesKey, StoredFrame, series_of
from service.history.quarantine import frame_before
from service.history.store import EncodedHistory, MemoryHistory, decode_history

T = TypeVar("T")

_logger = logging.getLogger("raincell")


class Reading(NamedTuple, Generic[T]):
    """A result, and why it may be incomplete or outdated (None: it is complete)."""

    value: T
    degraded: str | None = None


class History:
    """A store behind a circuit breaker, with its last good frames in memory.

    An accepted frame is in the store and in memory. While the store is down, reads come from memory and are labelled,
    and writes raise StoreUnavailable. A store that returns empty is filled from memory, without frames that this or
    another replica withdrew.

    Parameters
    ----------
    store : EncodedHistory
    last_good : MemoryHistory or None
        None if the store itself is this process's memory.
    clock : callable
        Returns seconds, monotonic.
    """

    def __init__(
        self,
        store: EncodedHistory,
        last_good: MemoryHistory | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._last_good = last_good
        self._breaker = Breaker("the history store", clock, (StoreFull, StoredValueDamaged), _log_change)
        self._epoch = ""
        self._fed: set[SeriesKey] = set()
        self._appending = threading.Lock()

    def append(self, frames: FrameSequence, who: str | None = None) -> None:
        """Keep frames in the store and in memory; raises the errors of EncodedHistory, and StoreUnavailable."""
        series = series_of(frames)
        with self._appending:  # frames are stored before the next caller checks for room
            encoded = self._ask(lambda: self._store.admit(frames, who))
            self._ask(lambda: self._store.put(series, encoded))
        if self._last_good:
            self._last_good.put(series, encoded)

    def latest(self, series: SeriesKey, count: int) -> Reading[FrameSequence]:
        """The newest `count` frames; raises the errors of EncodedHistory."""
        reading = self.newest(series, count)
        return Reading(decode_history(reading.value, series.product, count), reading.degraded)

    def newest(self, series: SeriesKey, count: int) -> Reading[list[StoredFrame]]:
        """The newest `count` stored frames, oldest first; possibly fewer, and with gaps."""
        reading = self._read(lambda store: store.newest(series, count))
        if self._last_good and reading.value and not reading.degraded:
            self._last_good.keep_only(series, reading.value)
        return reading

    def times(self, series: SeriesKey) -> Reading[list[datetime]]:
        """The times of all frames, oldest first."""
        return self._read(lambda store: store.times(*series))

    def before(self, series: SeriesKey, time: datetime, within: timedelta) -> FrameSequence | None:
        """The stored frame before `time`, for comparisons, unless it is older than `within`."""
        times = self.times(series).value
        return frame_before(
            times, lambda count: self._read(lambda store: store.newest(series, count)).value, time, within
        )

    def products(self) -> Reading[list[SeriesKey]]:
        """Every product and grid with frames."""
        return self._read(lambda store: store.products())

    def fed(self) -> set[SeriesKey]:
        """The series that the feed brings; while the store is down, the last known ones."""
        try:
            found: set[SeriesKey] = self._ask(self._store.fed)
        except StoreUnavailable:
            return self._fed
        self._fed = found
        return found

    def mark_fed(self, series: SeriesKey) -> None:
        """Note that the feed brings a series."""
        self._ask(lambda: self._store.mark_fed(series))
        self.fed()

    def timestep_minutes(self, series: SeriesKey) -> int:
        """Minutes between frames, from the newest one; 0 without a frame."""
        newest = self._read(lambda store: store.newest_header(series)).value
        return newest.timestep_minutes if newest else 0

    def withdraw(self, product: str, time: datetime) -> bool:
        """Remove the frames of a time; returns whether there were any. Raises StoreUnavailable."""
        at = self._ask(self._store.now)
        found = self._ask(lambda: self._store.withdraw(product, time, at))
        return (self._last_good is not None and self._last_good.withdraw(product, time, at)) or found

    def answers(self) -> bool:
        """Whether the store answers now."""
        try:
            self._ask(lambda: None)
        except StoreUnavailable:
            return False
        return True

    def _read(self, read: Callable[[EncodedHistory], T]) -> Reading[T]:
        try:
            return Reading(self._ask(lambda: read(self._store)))
        except StoreUnavailable:
            if self._last_good is None or not self._last_good.products():
                raise
            return Reading(read(self._last_good), "history store unavailable: frames from this process's memory")

    def _ask(self, work: Callable[[], T]) -> T:
        """The result of `work` on the store, after store and memory agree on lost and withdrawn frames."""

        def agreed() -> T:
            self._agree()
            return work()

        return self._breaker.ask(agreed)

    def _agree(self) -> None:
        """If the store has lost its frames, or others have withdrawn some, bring store and memory into agreement."""
        epoch = self._store.epoch()
        if epoch == self._epoch:
            return
        if self._last_good:
            for series in {*self._last_good.known(), *self._store.products()}:
                agree(self._store, self._last_good, series)
        if self._fed and not self._store.fed():  # the marks are lost with the frames; the feed's next frame sets them
            for series in self._fed:
                self._store.mark_fed(series)
        self._store.beginnings.agree()
        self._epoch = epoch


def _log_change(fault: str) -> None:
    if fault:
        _logger.warning("the history store fails: %s", fault)
    else:
        _logger.warning("the history store answers again")


def agree(store: EncodedHistory, memory: EncodedHistory, series: SeriesKey) -> None:
    """Apply each one's withdrawals to the other, then restore the frames that the store has lost."""
    in_store, in_memory = store.withdrawn(series), memory.withdrawn(series)
    for here, there, other in ((in_memory, in_store, store), (in_store, in_memory, memory)):
        for frame_time, at in here.items():
            if at > there.get(frame_time, float("-inf")):
                other.bury(series, frame_time, at)
    store.restore(series, memory.newest(series, 10**6))
