"""The stores that the parts of the service share: in one Redis, or in the memory of this process.

Only this module chooses between the two.
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
"""Runs of each series that a replica keeps for times without Redis."""
_UNSERVED_LONGER = timedelta(minutes=30)
"""Unserved forecasts are kept longer than runs by this, since they expire by the clock and runs by frames' times."""


@dataclass(frozen=True)
class Stores:
    """All state that is kept between requests, except the ledger of verification.

    Parameters
    ----------
    kind : "memory" or "redis"
        All replicas and the feed share Redis.
    frames : EncodedHistory
        The frames alone, which the feed fills.
    history, runs
        Frames and runs for routes: with a breaker, and with the newest ones in memory.
    quarantine : QuarantineList
    quotas : Quotas
    leases : Leases
    unserved : UnservedForecasts
        Forecasts that are only scored.
    references : ReferenceForecasts or None
        External forecasts from a feed; None in memory.
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
    """The stores that the settings name; those in Redis share one client, which connects on first use.

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
