"""The stores that the parts of the service share: in one Redis, or in the memory of this process.

The one place that decides between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from service.damage import Damage
from service.history.history import History
from service.history.quarantine import MemoryQuarantine, QuarantineList
from service.history.redis.quarantine import RedisQuarantine
from service.history.redis.references import RedisReferences
from service.history.redis.store import RedisHistory
from service.history.reference_forecasts import ReferenceForecasts
from service.history.store import EncodedHistory, MemoryHistory
from service.redis.client import connect
from service.runs.redis_store import RedisRuns
from service.runs.runs import Runs
from service.runs.shares.run_shares import RunShares, owners_in
from service.runs.store import MemoryRuns
from service.security.quotas import Quotas
from service.security.redis_quotas import RedisRateLimits
from service.settings import Settings, history_shares, run_bytes
from service.verification.stores.leases import Leases, MemoryLeases
from service.verification.stores.redis_leases import RedisLeases
from service.verification.stores.redis_unserved_forecasts import RedisUnservedForecasts
from service.verification.stores.unserved_forecasts import MemoryUnservedForecasts, UnservedForecasts

_REMEMBERED_RUNS = 2
"""Runs of each series that a replica remembers for when Redis is away."""
_UNSERVED_LONGER = timedelta(minutes=30)
"""How much longer than runs, which are kept by the times of frames, unserved forecasts are kept by the clock."""


@dataclass(frozen=True)
class Stores:
    """Everything that is kept between requests, but for the ledger of verification.

    Parameters
    ----------
    kind : "memory" or "redis"
        Redis is shared by all replicas and the feed.
    frames : EncodedHistory
        The frames alone, as the feed fills them.
    history, runs
        Frames and runs as routes read them: with a breaker, and with the newest ones in memory.
    quarantine : QuarantineList
    quotas : Quotas
    leases : Leases
    unserved : UnservedForecasts
        Forecasts that are only scored.
    references : ReferenceForecasts or None
        Forecasts of others, which a feed brings; None in memory.
    """

    kind: Literal["memory", "redis"]
    frames: EncodedHistory
    history: History
    runs: Runs
    quarantine: QuarantineList
    quotas: Quotas
    leases: Leases
    unserved: UnservedForecasts
    references: ReferenceForecasts | None = None


def open_stores(settings: Settings, damage: Damage | None = None) -> Stores:
    """The stores that the settings name; those in Redis share one client, which connects when it is first used.

    Parameters
    ----------
    settings : Settings
    damage : Damage, optional
        Notes every stored value that cannot be read.
    """
    if settings.redis_url is None:
        return _in_memory(settings)
    return _in_redis(connect(settings.redis_url), settings, damage or Damage())


def _in_memory(settings: Settings) -> Stores:
    frames = MemoryHistory(timedelta(minutes=settings.history_minutes), history_shares(settings))
    shares = RunShares(run_bytes(settings), owners_in(frames))
    return Stores(
        kind="memory",
        frames=frames,
        history=History(frames),
        runs=Runs(MemoryRuns(timedelta(minutes=settings.run_minutes), shares=shares)),
        quarantine=MemoryQuarantine(),
        quotas=Quotas(),
        leases=MemoryLeases(),
        unserved=MemoryUnservedForecasts(shares=shares),
    )


def _in_redis(redis: object, settings: Settings, damage: Damage) -> Stores:
    kept, kept_runs = timedelta(minutes=settings.history_minutes), timedelta(minutes=settings.run_minutes)
    frames = RedisHistory(redis, kept, damage, history_shares(settings))
    shares = RunShares(run_bytes(settings), owners_in(frames))
    runs = RedisRuns(redis, kept_runs, damage=damage, shares=shares)
    return Stores(
        kind="redis",
        frames=frames,
        history=History(frames, last_good=MemoryHistory(kept)),
        runs=Runs(runs, last_good=MemoryRuns(kept_runs, most=_REMEMBERED_RUNS, shares=shares)),
        quarantine=RedisQuarantine(redis, damage),
        quotas=Quotas(RedisRateLimits(redis, damage)),
        leases=RedisLeases(redis),
        unserved=RedisUnservedForecasts(redis, kept_runs + _UNSERVED_LONGER, damage, shares),
        references=RedisReferences(redis, damage=damage),
    )
