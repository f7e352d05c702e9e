"""The runs for routes: the store, or this process's copies in memory while the store does not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from radar.errors import StoreUnavailable
from service.breaker import Breaker
from service.errors import NoRoomForRun, RunExpired, UnknownRun
from service.history.codec import SeriesKey, StoredFrame
from service.history.history import Reading
from service.runs.run import Run, WholeRun
from service.runs.store import MemoryRuns, RunStore

T = TypeVar("T")

FRESH_SECONDS = 1.0
"""Seconds for which the latest run is served again without a query of the store."""
_LOST = "run store came back empty: the last run that this process remembers"
_AWAY = "run store unavailable: the last run that this process remembers"


class Runs:
    """A store of runs behind a circuit breaker, with the last good runs in memory.

    Parameters
    ----------
    store : RunStore
    last_good : MemoryRuns or None
        None if the store itself is this process's memory.
    clock : callable
        Seconds, monotonic.
    """

    def __init__(
        self,
        store: RunStore,
        last_good: MemoryRuns | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._last_good = last_good
        self._clock = clock
        self._breaker = Breaker("the run store", clock)
        self._too_large: dict[SeriesKey, str] = {}
        self._fresh: dict[SeriesKey, tuple[float, Reading[Run | None]]] = {}

    def fresh(self, series: SeriesKey) -> Reading[Run | None] | None:
        """The recent result of `latest`, if any; it takes no time."""
        until, reading = self._fresh.get(series, (0.0, None))
        return reading if self._clock() < until else None

    def latest(self, series: SeriesKey) -> Reading[Run | None]:
        """The latest run of a series, None if there is none; raises StoreUnavailable."""
        reading = self.fresh(series)
        if reading is None:
            reading = self.latest_now(series)
        return reading

    def latest_now(self, series: SeriesKey) -> Reading[Run | None]:
        """As `latest`, but always with a query of the store."""
        remembered = self._last_good.latest(series) if self._last_good else None
        try:
            reading = Reading(self.ask(lambda store: store.latest(series)))
        except StoreUnavailable:
            if remembered is None:
                raise
            reading = Reading[Run | None](remembered, _AWAY)
        if reading.value is None and remembered is not None:
            reading = Reading(remembered, _LOST)
        self._fresh[series] = (self._clock() + FRESH_SECONDS, reading)
        return reading

    def get(self, run_id: str) -> Run:
        """A run by its id; raises UnknownRun, RunExpired or StoreUnavailable."""
        return self._either(lambda store: store.get(run_id))

    def frames(self, run_id: str, minutes: Sequence[int]) -> list[StoredFrame]:
        """Frames of a run; raises as `get`."""
        return self._either(lambda store: store.frames(run_id, minutes))

    def covered(self, run_id: str) -> bytes:
        """The coverage mask of a run; raises as `get`."""
        return self._either(lambda store: store.covered(run_id))

    def odds(self, run_id: str, minutes: Sequence[int]) -> list[bytes]:
        """The odds of a run with a distribution; raises as `get`."""
        return self._either(lambda store: store.odds(run_id, minutes))

    def runs(self, series: SeriesKey) -> list[Run]:
        """The runs of a series, newest first; those in memory while the store does not answer."""
        try:
            return self.ask(lambda store: store.runs(series))
        except StoreUnavailable:
            return self._last_good.runs(series) if self._last_good else []

    def series(self) -> list[SeriesKey]:
        """The series with a run in this process's memory."""
        return sorted(series for series, (_, reading) in self._fresh.copy().items() if reading.value)

    def publish(self, whole: WholeRun, token: str | None = None) -> bool:
        """Keep a run and make it the latest; False if the token has lost its lock. Raises StoreUnavailable."""
        try:
            self.ask(lambda store: store.put(whole))
            pointed = self.point(whole.run, token)
        except StoreUnavailable:
            self._remember(whole)  # so that it need not be made again
            raise
        if pointed:
            self._remember(whole)
        return pointed

    def point(self, run: Run, token: str | None = None) -> bool:
        """Make a stored run the latest; as `publish`."""
        pointed = self.ask(lambda store: store.point(run.series, run.id, token))
        self._fresh.pop(run.series, None)
        return pointed

    def remember(self, run: Run) -> None:
        """Keep a run of another replica in memory, for times without the store; see `get`."""
        if self._last_good is None:
            return
        remembered = self._last_good.latest(run.series)
        if run.id not in (remembered and remembered.id, self._too_large.get(run.series)):
            minutes = [*run.observed_minutes, *run.lead_minutes]
            frames = self.ask(lambda store: store.frames(run.id, minutes))
            covered = self.ask(lambda store: store.covered(run.id))
            leads = run.lead_minutes if run.thresholds else ()
            odds = {lead: self._odds_of_lead(run.id, lead) for lead in leads}
            self._remember(WholeRun(run, dict(zip(minutes, frames, strict=True)), covered, odds))

    def remembered(self, run_id: str) -> WholeRun | None:
        """A run with its frames, if this process's memory has it."""
        try:
            return self._last_good.whole(run_id) if self._last_good else None
        except (UnknownRun, RunExpired):
            return None

    def ask(self, work: Callable[[RunStore], T]) -> T:
        """The result of `work` on the store, unless it has just failed."""
        return self._breaker.ask(lambda: work(self._store))

    def _either(self, read: Callable[[RunStore], T]) -> T:
        try:
            return self.ask(read)
        except StoreUnavailable:
            if self._last_good is None:
                raise
            try:
                return read(self._last_good)
            except (UnknownRun, RunExpired):
                pass  # memory holds only the newest: of the others nothing is known now
            raise

    def _odds_of_lead(self, run_id: str, lead: int) -> bytes:
        """From the store; all leads at once may be too much for one answer of it."""
        (packed,) = self.ask(lambda store: store.odds(run_id, [lead]))
        return packed

    def _remember(self, whole: WholeRun) -> None:
        if not self._last_good:
            return
        try:
            self._last_good.put(whole)
        except NoRoomForRun:  # in the memory of this process
            self._too_large[whole.run.series] = whole.run.id
            return
        self._last_good.point(whole.run.series, whole.run.id)
