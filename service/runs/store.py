"""Stores of runs, and the lock for making one: in memory, or (`service.runs.redis_store`) in Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from service.errors import RunExpired, UnknownRun
from service.history.codec import SeriesKey, StoredFrame
from service.runs.run import Run, WholeRun
from service.runs.shares.run_shares import RunShares

MOST_RUNS = 48
"""The most runs of one series, with any number of corrections."""
MOST_EXPIRED = 1000
"""The most ids of removed runs of one series that are kept."""


class RunStore(Protocol):
    """Keeps runs by series; retention counts from the newest reference time of the series.

    All methods raise StoreUnavailable if the store does not answer.
    """

    def put(self, whole: WholeRun) -> None:
        """Keep a run, and let those go that are beyond the retention; the same run again changes nothing.

        Raises
        ------
        NoRoomForRun
            See `service.runs.shares.run_shares.RunShares`; nothing has changed.
        """

    def point(self, series: SeriesKey, run_id: str, token: str | None = None) -> bool:
        """Make a run the latest of its series, unless a given token no longer holds the lock."""

    def latest(self, series: SeriesKey) -> Run | None:
        """The latest run; None if there is none, or if it is gone."""

    def get(self, run_id: str) -> Run:
        """A run by its id; raises UnknownRun, or RunExpired for a removed one."""

    def frames(self, run_id: str, minutes: Sequence[int]) -> list[StoredFrame]:
        """Frames of a run, which must have all of them; raises as `get`."""

    def covered(self, run_id: str) -> bytes:
        """The coverage mask of a run; raises as `get`."""

    def odds(self, run_id: str, minutes: Sequence[int]) -> list[bytes]:
        """The odds of a run with a distribution, for lead times that it must have; raises as `get`."""

    def runs(self, series: SeriesKey) -> list[Run]:
        """All runs of a series, newest reference time first; for one reference time the run made last comes first."""

    def lock(self, series: SeriesKey, token: str, seconds: float) -> bool:
        """Take or extend the series' lock for some seconds; False if another token holds it."""

    def unlock(self, series: SeriesKey, token: str) -> None:
        """Release the lock, if it is still held."""


class MemoryRuns:
    """Runs in this process's memory; see RunStore.

    Parameters
    ----------
    retention : timedelta
    most : int
        Runs of a series.
    clock : callable
        Seconds, monotonic, by which locks expire.
    shares : RunShares, optional
        Bytes of all of them.
    """

    def __init__(
        self,
        retention: timedelta,
        most: int = MOST_RUNS,
        clock: Callable[[], float] = time.monotonic,
        shares: RunShares | None = None,
    ) -> None:
        self._retention = retention
        self._most = most
        self._clock = clock
        self._shares = shares or RunShares()
        self._sizes: dict[str, int] = {}
        self._runs: dict[str, WholeRun] = {}
        self._latest: dict[SeriesKey, str] = {}
        self._expired: dict[str, None] = {}
        self._locks: dict[SeriesKey, tuple[str, float]] = {}
        self._guard = threading.RLock()

    def put(self, whole: WholeRun) -> None:
        """See RunStore."""
        run = whole.run
        with self._guard:
            if run.id in self._runs:
                return
            self._let_go(self._shares.to_let_go(run.id, whole.size, self._sizes))
            self._runs[run.id], self._sizes[run.id] = whole, whole.size
            self._let_go(outdated(run, self.runs(run.series), self._retention, self._most))

    def point(self, series: SeriesKey, run_id: str, token: str | None = None) -> bool:
        """See RunStore."""
        with self._guard:
            if token is not None and self._holder(series) != token:
                return False
            self._latest[series] = run_id
            return True

    def latest(self, series: SeriesKey) -> Run | None:
        """See RunStore."""
        whole = self._runs.get(self._latest.get(series, ""))
        return whole.run if whole else None

    def get(self, run_id: str) -> Run:
        """See RunStore."""
        return self.whole(run_id).run

    def frames(self, run_id: str, minutes: Sequence[int]) -> list[StoredFrame]:
        """See RunStore."""
        whole = self.whole(run_id)
        return [whole.frames[minute] for minute in minutes]

    def covered(self, run_id: str) -> bytes:
        """See RunStore."""
        return self.whole(run_id).covered

    def odds(self, run_id: str, minutes: Sequence[int]) -> list[bytes]:
        """See RunStore."""
        whole = self.whole(run_id)
        return [whole.odds[minute] for minute in minutes]

    def runs(self, series: SeriesKey) -> list[Run]:
        """See RunStore."""
        with self._guard:
            found = [whole.run for whole in self._runs.values() if whole.run.series == series]
        return newest_first(found)

    def lock(self, series: SeriesKey, token: str, seconds: float) -> bool:
        """See RunStore."""
        with self._guard:
            if self._holder(series) not in (None, token):
                return False
            self._locks[series] = (token, self._clock() + seconds)
            return True

    def unlock(self, series: SeriesKey, token: str) -> None:
        """See RunStore."""
        with self._guard:
            if self._holder(series) == token:
                del self._locks[series]

    def whole(self, run_id: str) -> WholeRun:
        """A run with its frames; raises as `get`."""
        whole = self._runs.get(run_id)
        if whole is None:
            raise expired(run_id) if run_id in self._expired else unknown(run_id)
        return whole

    def _let_go(self, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            del self._runs[run_id], self._sizes[run_id]
            self._expired[run_id] = None
        while len(self._expired) > MOST_EXPIRED:
            del self._expired[next(iter(self._expired))]

    def _holder(self, series: SeriesKey) -> str | None:
        token, until = self._locks.get(series, (None, 0.0))
        return token if self._clock() < until else None


def newest_first(runs: Sequence[Run]) -> list[Run]:
    """Runs in the order of `RunStore.runs`."""
    return sorted(runs, key=lambda run: (run.reference_time, not run.interim, run.made_at), reverse=True)


def outdated(new: Run, runs: Sequence[Run], retention: timedelta, most: int) -> list[str]:
    """Ids of the runs of one series, in the order of `newest_first`, that are too old or too many; never the new one.

    The new one may be the oldest: after newer frames are withdrawn, runs start from older ones again.
    """
    oldest = runs[0].reference_time - retention
    old = [run.id for place, run in enumerate(runs) if place >= most or run.reference_time <= oldest]
    return [run_id for run_id in old if run_id != new.id]


def unknown(run_id: str) -> UnknownRun:
    """The error for an id that no run has or had."""
    return UnknownRun(
        expected="the id of a run", got=f"{run_id[:80]!r}", remedy="see GET /nowcast for the latest run and its URLs"
    )


def expired(run_id: str) -> RunExpired:
    """The error for a run that is gone."""
    return RunExpired(
        expected="a run that is still kept", got=f"{run_id[:200]}, which has expired", remedy="see GET /nowcast"
    )
