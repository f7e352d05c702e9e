"""Verification put together, for `service.app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from radar.ledger.days import settle
from radar.ledger.inputs import drop_old
from radar.ledger.ledger import LedgerWriter
from service.damage import Damage
from service.forecasting.catalogue import Catalogue, Load
from service.forecasting.worker import Worker
from service.history.history import History
from service.history.redis_references import RedisReferences
from service.monitoring.metrics import Metrics
from service.redis.client import connect
from service.runs.cache import Cache
from service.runs.reader import RunReader
from service.runs.runs import Runs
from service.verification import drift, input_watch
from service.verification.collect import Sources
from service.verification.input_watch import InputWatch
from service.verification.scorer import Scorer
from service.verification.shadows import Shadows
from service.verification.stores.leases import Claims, MemoryClaims
from service.verification.stores.redis_leases import RedisClaims
from service.verification.stores.redis_unserved_forecasts import RedisBeside
from service.verification.stores.unserved_forecasts import BesideForecasts, MemoryBeside
from service.verification.totals import Tally
from service.verification.verification import Announcer, Verification
from service.verification.verifier import Verifier

_CACHE_BYTES = 64 * 1024 * 1024
"""Of decoded runs, beside the cache that answers come from: scoring must not push those out."""


@dataclass(frozen=True)
class Parts:
    """What verification needs of the service.

    Parameters
    ----------
    repository, catalogue, load
        The models, and what loads one.
    history, runs, worker, metrics, clock
        As routes have them.
    redis_url : str or None
    kept : timedelta
        How long forecasts beside runs are kept, as long as the runs.
    days : int
        Days of the ledger that are kept record by record.
    damage : Damage
        Told of every value that does not fit.
    """

    repository: Path
    catalogue: Catalogue
    load: Load
    history: History
    runs: Runs
    worker: Worker
    metrics: Metrics
    clock: Callable[[], datetime]
    redis_url: str | None = None
    kept: timedelta = timedelta(hours=3)
    days: int = 14
    damage: Damage = field(default_factory=Damage)


def make_verification(
    parts: Parts, folder: Path, drift_limits: drift.Limits, input_limits: input_watch.Limits
) -> Verification:
    """Verification with its ledger in `folder`."""
    beside, claims, references = _shared(parts)
    tally = Tally(folder, parts.damage)
    scorer = Scorer(
        parts.history,
        Sources(parts.runs, RunReader(parts.runs, Cache(_CACHE_BYTES)), beside, references),
        LedgerWriter(folder),
        tally,
        claims,
        busy=lambda: parts.worker.inside > 0 or parts.worker.waiting > 0,
        on_score=lambda how: parts.metrics.verified.labels(how).inc(),
    )
    watch = InputWatch(parts.history, folder, claims, input_limits, parts.damage)
    shadows = Shadows(
        parts.repository,
        parts.catalogue,
        parts.load,
        parts.worker,
        beside,
        parts.clock,
        on_shadow=lambda how: parts.metrics.shadows.labels(how).inc(),
    )

    announcer = Announcer()

    def look(thorough: bool) -> None:
        watch.look()
        scorer.look(thorough)
        if thorough:
            settle(folder, parts.days, parts.clock())
            drop_old(folder, max(parts.days, input_limits.days), parts.clock())
            announcer.announce(made.active_alerts())

    made = Verification(parts.catalogue, tally, scorer, watch, shadows, Verifier(look, scorer.stop), drift_limits)
    return made


def _shared(parts: Parts) -> tuple[BesideForecasts, Claims, RedisReferences | None]:
    """What replicas share where there is Redis."""
    if parts.redis_url is None:
        return MemoryBeside(), MemoryClaims(), None
    client = connect(parts.redis_url)
    return (
        RedisBeside(client, parts.kept, parts.damage),
        RedisClaims(client),
        RedisReferences(client, damage=parts.damage),
    )
