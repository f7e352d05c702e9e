"""The history as routes see it: the store and, while that does not answer, what this process remembers of it."""

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
    """What was read, and why it may be less or older than what there is (None: it is all)."""

    value: T
    degraded: str | None = None


class History:
    """A store behind a circuit breaker, with its last good frames in memory.

    A frame that was accepted is in the store and in memory. While the store is down, reading goes on from
    memory, labelled, and writing raises StoreUnavailable. A store that comes back empty is filled from memory, but not
    with frames that were withdrawn, here or by another replica.

    Parameters
    ----------
    store : EncodedHistory
    last_good : MemoryHistory or None
        None where the store is this process's memory already.
    clock : callable
        Seconds, monotonic.
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
        """Keep frames in the store and in memory; raises as EncodedHistory does, and StoreUnavailable."""
        series = series_of(frames)
        with self._appending:  # what one finds room for is stored before the next looks for some
            encoded = self._ask(lambda: self._store.admit(frames, who))
            self._ask(lambda: self._store.put(series, encoded))
        if self._last_good:
            self._last_good.put(series, encoded)

    def latest(self, series: SeriesKey, count: int) -> Reading[FrameSequence]:
        """The newest `count` frames; raises as EncodedHistory does."""
        reading = self.newest(series, count)
        return Reading(decode_history(reading.value, series.product, count), reading.degraded)

    def newest(self, series: SeriesKey, count: int) -> Reading[list[StoredFrame]]:
        """The newest `count` frames as they are stored, oldest first; fewer, and with gaps, if there are no more."""
        reading = self._read(lambda store: store.newest(series, count))
        if self._last_good and reading.value and not reading.degraded:
            self._last_good.keep_only(series, reading.value)
        return reading

    def times(self, series: SeriesKey) -> Reading[list[datetime]]:
        """The times of all frames, oldest first."""
        return self._read(lambda store: store.times(*series))

    def before(self, series: SeriesKey, time: datetime, within: timedelta) -> FrameSequence | None:
        """The stored frame before `time`, if it is not older than `within`; for comparisons."""
        times = self.times(series).value
        return frame_before(
            times, lambda count: self._read(lambda store: store.newest(series, count)).value, time, within
        )

    def products(self) -> Reading[list[SeriesKey]]:
        """Every product and grid of which there are frames."""
        return self._read(lambda store: store.products())

    def fed(self) -> set[SeriesKey]:
        """The series that the feed brings; while that cannot be asked, those that it brought when last it could."""
        try:
            found: set[SeriesKey] = self._ask(self._store.fed)
        except StoreUnavailable:
            return self._fed
        self._fed = found
        return found

    def mark_fed(self, series: SeriesKey) -> None:
        """Remember that a series is the feed's own."""
        self._ask(lambda: self._store.mark_fed(series))
        self.fed()

    def timestep_minutes(self, series: SeriesKey) -> int:
        """Minutes between frames, as the newest says; 0 where there is none."""
        newest = self._read(lambda store: store.newest_header(series)).value
        return newest.timestep_minutes if newest else 0

    def withdraw(self, product: str, time: datetime) -> bool:
        """Take the frames of that time away; whether there were any. See StoreUnavailable."""
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
        """What `work` gets from the store, which has agreed with memory on what was lost and withdrawn."""

        def agreed() -> T:
            self._agree()
            return work()

        return self._breaker.ask(agreed)

    def _agree(self) -> None:
        """Where the store has lost its frames, or others have withdrawn some, let it and memory learn of each other."""
        epoch = self._store.epoch()
        if epoch == self._epoch:
            return
        if self._last_good:
            for series in {*self._last_good.known(), *self._store.products()}:
                agree(self._store, self._last_good, series)
        if self._fed and not self._store.fed():  # lost as frames are; the feed marks them anew with its next one
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
    """Let each learn what was withdrawn from the other, then give the store the frames that it lost."""
    in_store, in_memory = store.withdrawn(series), memory.withdrawn(series)
    for here, there, other in ((in_memory, in_store, store), (in_store, in_memory, memory)):
        for frame_time, at in here.items():
            if at > there.get(frame_time, float("-inf")):
                other.bury(series, frame_time, at)
    store.restore(series, memory.newest(series, 10**6))
