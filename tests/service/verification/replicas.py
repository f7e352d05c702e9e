"""Replicas of the service's parts that make runs and score them, called by hand instead of by the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np

from radar.ledger.ledger import LedgerWriter
from radar.sequence import FrameSequence, times_after
from radar.synthetic import storm_frames
from service.forecasting.catalogue import Catalogue, Load
from service.forecasting.worker import ForecastThread
from service.history.codec import SeriesKey
from service.history.history import History
from service.history.redis.references import RedisReferences
from service.history.redis.store import RedisHistory
from service.history.store import MemoryHistory
from service.redis.client import connect
from service.runs.cache import Cache
from service.runs.reader import RunReader
from service.runs.redis_store import RedisRuns
from service.runs.run import WholeRun
from service.runs.runner import Runner
from service.runs.runs import Runs
from service.runs.store import MemoryRuns
from service.verification.collect import ForecastSources
from service.verification.scorer import Scorer
from service.verification.shadows import Shadows
from service.verification.stores.leases import Leases, MemoryLeases
from service.verification.stores.redis_leases import RedisLeases
from service.verification.stores.redis_unserved_forecasts import RedisUnservedForecasts
from service.verification.stores.unserved_forecasts import MemoryUnservedForecasts, UnservedForecasts
from service.verification.totals import LedgerTotals
from tests.service.conftest import SMALL

RETENTION = timedelta(hours=6)
SERIES = SeriesKey("RY", SMALL.key)
NOW = datetime(2017, 8, 16, 3, tzinfo=UTC)


@dataclass
class Replica:
    """One process's parts."""

    history: History
    runs: Runs
    unserved: UnservedForecasts
    leases: Leases
    ledger: LedgerTotals
    scorer: Scorer
    shadows: Shadows
    runner: Runner
    outcomes: list[str]
    published: list[WholeRun]

    def make_run(self) -> WholeRun | None:
        """Bring runs up to date; the run that was made here."""
        count = len(self.published)
        asyncio.run(self._make_run())
        return self.published[-1] if len(self.published) > count else None

    async def _make_run(self) -> None:
        before = len(self.published)
        assert await self.runner.look()
        for whole in self.published[before:]:
            await self.shadows.forecast_beside(whole)


def make_replica(
    catalogue: Catalogue,
    ledger: Path,
    *,
    repository: Path,
    load: Load,
    url: str | None = None,
    now: datetime = NOW,
    lead_minutes: int = 30,
) -> Replica:
    """A replica with its parts in Redis, or in memory without a URL."""
    if url is None:
        history, runs = History(MemoryHistory(RETENTION)), Runs(MemoryRuns(RETENTION))
        unserved: UnservedForecasts = MemoryUnservedForecasts()
        leases: Leases = MemoryLeases()
        references = None
    else:
        client = connect(url)
        history = History(RedisHistory(connect(url), RETENTION), MemoryHistory(RETENTION))
        runs = Runs(RedisRuns(connect(url), RETENTION), MemoryRuns(RETENTION, most=2))
        unserved, leases, references = RedisUnservedForecasts(client), RedisLeases(client), RedisReferences(client)
    worker, tally = ForecastThread(8), LedgerTotals(ledger)
    outcomes: list[str] = []
    published: list[WholeRun] = []
    sources = ForecastSources(runs, RunReader(runs, Cache(2**24)), unserved, references)
    return Replica(
        history=history,
        runs=runs,
        unserved=unserved,
        leases=leases,
        ledger=tally,
        scorer=Scorer(history, sources, LedgerWriter(ledger), tally, leases, on_score=outcomes.append),
        shadows=Shadows(repository, catalogue, load, worker, unserved, lambda: now, on_shadow=outcomes.append),
        runner=Runner(history, runs, worker, catalogue, lead_minutes, _ticking(now), follow=published.append),
        outcomes=outcomes,
        published=published,
    )


def _ticking(start: datetime) -> Callable[[], datetime]:
    """A clock that goes on by a second whenever it is read: of two runs one was made later."""
    seconds = count()
    return lambda: start + timedelta(seconds=next(seconds))


def storm(frames: int, end: datetime, seed: int = 3) -> FrameSequence:
    """Rain that moves, with a corner without data, in steps that the stores keep exactly."""
    made = storm_frames(SMALL, seed=seed, timestep_minutes=5)
    rain = np.stack([next(made) for _ in range(frames)])
    rain = (np.rint(rain / 0.12) * np.float32(0.12)).astype(np.float32)
    rain[:, :3, :4] = np.nan
    start = times_after(end, 1, -5 * frames)[0]
    return FrameSequence(rain, times_after(start, frames, 5), SMALL, 5, "RY")


def one(frames: FrameSequence, place: int) -> FrameSequence:
    """A single frame of a sequence."""
    return FrameSequence(
        frames.rain_rate[place : place + 1], frames.valid_times[place : place + 1], frames.grid, 5, frames.product
    )
