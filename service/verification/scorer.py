"""Scores every lead time of every run once its observation has arrived: exactly once, on any replica."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from radar.errors import RaincellError, StoreUnavailable
from radar.ledger.ledger import LedgerWriter, ScoreRecord
from radar.sequence import Float32
from service.errors import RunExpired, UnknownRun
from service.history.codec import SeriesKey, decode_one
from service.history.history import History
from service.runs.run import Run
from service.verification.collect import ForecastSources, collect, compare, served_by
from service.verification.stores.leases import LEASE_SECONDS, Leases
from service.verification.totals import LedgerTotals

PATIENCE_SECONDS = 5.0
"""How long scoring waits at most for forecasts of callers."""
_PAUSE_SECONDS = 0.05
_logger = logging.getLogger("raincell")


class Due(NamedTuple):
    """A lead time of a run that can be scored."""

    run: Run
    minutes: int

    @property
    def name(self) -> str:
        """The name of its lease."""
        return f"{self.run.id}:{self.minutes}"


class Scorer:
    """Compares forecasts with observations; for use by one thread.

    The observation in the history at the time of scoring counts: a later correction changes no score. Of several runs
    for one time, e.g. after a correction, the one made last is scored.

    Parameters
    ----------
    history : History
        The observations.
    sources : ForecastSources
        The forecasts.
    writer, ledger
        The ledger's writer and its totals.
    leases : Leases
        Leases among replicas. They only save work: a record in the ledger counts once anyway.
    busy : callable
        Returns whether a caller waits for a forecast; then scoring pauses for a while.
    on_score : callable
        Called with the outcome of every piece of work: "scored", "expired", "failed".
    """

    def __init__(
        self,
        history: History,
        sources: ForecastSources,
        writer: LedgerWriter,
        ledger: LedgerTotals,
        leases: Leases,
        busy: Callable[[], bool] = lambda: False,
        on_score: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._history, self._sources = history, sources
        self._writer, self._ledger, self._leases = writer, ledger, leases
        self._busy, self._on_score = busy, on_score
        self._later: dict[str, float] = {}
        self._known_times: dict[SeriesKey, list[datetime]] = {}
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End after the current piece of work."""
        self._stopping.set()

    def look(self, thorough: bool = True) -> int:
        """Score all due lead times; returns the number of added records.

        Unless `thorough`, only series whose frames have changed are checked.

        Raises
        ------
        StoreUnavailable
            The stores do not answer; due work stays due.
        OSError
            The ledger cannot be written or read.
        """
        self._ledger.refresh()
        self._later = {name: until for name, until in self._later.items() if until > time.monotonic()}
        known = self._history.products()
        if known.degraded:  # memory may lack frames that others have
            return 0
        return sum(self._look_at(series, thorough) for series in known.value)

    def _look_at(self, series: SeriesKey, thorough: bool) -> int:
        times = self._history.times(series).value
        if not thorough and self._known_times.get(series) == times:
            return 0
        scored, complete = 0, True
        runs = self._sources.runs.runs(series)
        for time_, dues in _by_time(self._due(runs, times)):
            observed = self._observed(series, times, time_)
            if observed is None:
                continue
            for due in dues:
                if self._stopping.is_set():
                    return scored
                outcome = self._score(due, observed, runs)
                scored += outcome is True
                complete = complete and outcome is not None
        if complete:
            self._known_times[series] = times
        if times:
            self._ledger.forget(series, times[-1])
        return scored

    def _due(self, runs: list[Run], times: list[datetime]) -> list[Due]:
        """The unscored lead times that can be scored now, in order of the observations' and of the runs' times."""
        there = set(times)
        dues = [
            Due(run, minutes)
            for run in latest_of_each_time(runs)
            for minutes in run.lead_minutes
            if run.valid_time(minutes) in there and not self._ledger.knows(run.id, minutes)
        ]
        return sorted(dues, key=lambda due: (due.run.valid_time(due.minutes), due.run.reference_time))

    def _observed(self, series: SeriesKey, times: list[datetime], time_: datetime) -> Float32 | None:
        stored = self._history.newest(series, len(times) - times.index(time_)).value
        found = [frame for frame in stored if frame.valid_time == time_]
        return decode_one(found[0]) if found else None  # withdrawn meanwhile

    def _score(self, due: Due, observed: Float32, runs: list[Run]) -> bool | None:
        """Whether it was scored here: True; False if it needs no score from here; None if it has to be tried again."""
        if time.monotonic() < self._later.get(due.name, 0.0):
            return None
        if not self._leases.claim(due.name):
            self._later[due.name] = time.monotonic() + LEASE_SECONDS
            return None
        try:
            scored = self._claimed(due, observed, runs)
        except (UnknownRun, RunExpired):
            self._leases.keep(due.name)
            self._on_score("expired")
            return False
        except (StoreUnavailable, OSError):
            self._leases.release(due.name)
            raise
        except Exception as error:
            self._later[due.name] = time.monotonic() + LEASE_SECONDS
            self._on_score("failed")
            expected = isinstance(error, RaincellError)
            _logger.warning("%s could not be scored: %s", due.name, error, exc_info=None if expected else error)
            return None
        self._leases.keep(due.name)
        return scored

    def _claimed(self, due: Due, observed: Float32, runs: list[Run]) -> bool:
        self._ledger.refresh()
        if self._ledger.knows(due.run.id, due.minutes):  # the claim was lost, but the record exists
            return False
        self._give_way()
        self._writer.append(self._record(due, observed, runs))
        self._ledger.refresh()
        self._on_score("scored")
        return True

    def _record(self, due: Due, observed: Float32, runs: list[Run]) -> ScoreRecord:
        run = due.run
        forecasts = collect(self._sources, run, due.minutes, runs)
        return ScoreRecord(
            run=run.id,
            product=run.product,
            grid=run.grid.key,
            reference_time=run.reference_time,
            lead_minutes=due.minutes,
            served=served_by(run),
            method=run.method,
            sums=compare(forecasts, observed, run.grid.pixel_size_km),
        )

    def _give_way(self) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while self._busy() and time.monotonic() < until and not self._stopping.is_set():
            self._stopping.wait(_PAUSE_SECONDS)


def latest_of_each_time(runs: list[Run]) -> list[Run]:
    """Of the runs of a series, newest first, the one made last for each time, without interim runs."""
    found: dict[datetime, Run] = {}
    for run in runs:
        if not run.interim:
            found.setdefault(run.reference_time, run)
    return list(found.values())


def _by_time(dues: list[Due]) -> Iterator[tuple[datetime, list[Due]]]:
    groups: dict[datetime, list[Due]] = {}
    for due in dues:
        groups.setdefault(due.run.valid_time(due.minutes), []).append(due)
    yield from groups.items()
