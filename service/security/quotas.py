"""Quotas of requests per minute, counted in this process or, for all replicas together, in Redis."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from anyio import CapacityLimiter, move_on_after
from anyio.to_thread import run_sync

from radar.errors import StoreUnavailable
from service.breaker import PAUSE_SECONDS, Breaker

MOST_COUNTED = 50_000
"""Callers that are distinguished within a minute; all others count as one."""
_OTHERS = "others"
_PATIENCE_SECONDS = 0.5
_logger = logging.getLogger("raincell.limits")


class RateLimits(Protocol):
    """Counts requests by the minute of the clock."""

    def count(self, who: str, minute: int) -> int:
        """Count one request; returns how many `who` has made in that minute, including this one.

        Raises
        ------
        StoreUnavailable
            The store does not answer.
        """


class MemoryRateLimits:
    """Counts of this process, for one minute at a time: a jump of the clock resets them."""

    def __init__(self) -> None:
        self._minute = 0
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def count(self, who: str, minute: int) -> int:
        """See RateLimits."""
        with self._lock:
            if minute != self._minute:
                self._minute, self._counts = minute, {}
            if who not in self._counts and len(self._counts) >= MOST_COUNTED:
                who = _OTHERS
            self._counts[who] = self._counts.get(who, 0) + 1
            return self._counts[who]


@dataclass(frozen=True)
class Allowance:
    """The rest of a quota after a request was counted."""

    per_minute: int
    used: int
    seconds_left: int

    @property
    def exceeded(self) -> bool:
        """Whether this request was one too many."""
        return self.used > self.per_minute

    def headers(self) -> dict[str, str]:
        """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers); Retry-After if it is exceeded."""
        left = max(0, self.per_minute - self.used)
        headers = {
            "RateLimit-Policy": f'"minute";q={self.per_minute};w=60',
            "RateLimit": f'"minute";r={left};t={self.seconds_left}',
        }
        return headers | ({"Retry-After": str(self.seconds_left)} if self.exceeded else {})


class Quotas:
    """Counts in the shared store while it answers, and always in memory, which is used while it does not.

    Parameters
    ----------
    shared : RateLimits or None
        None for a single process.
    monotonic : callable
        Returns seconds.
    """

    def __init__(self, shared: RateLimits | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._memory = MemoryRateLimits()
        self._shared = shared
        self._breaker = Breaker("the counts of requests", monotonic)
        self._threads: CapacityLimiter | None = None

    async def spend(self, who: str, per_minute: int, now: datetime) -> Allowance:
        """Count a request of the caller `who` at a time."""
        minute, second = divmod(int(now.timestamp()), 60)
        used = max(self._memory.count(who, minute), await self._count_shared(who, minute))
        return Allowance(per_minute, used, 60 - second)

    async def _count_shared(self, who: str, minute: int) -> int:
        """The shared count, or 0 if the store does not answer soon or has just failed."""
        if self._shared is None or self._breaker.is_open:
            return 0
        # It has threads of its own: those of anyio may all be busy decoding.
        self._threads = self._threads or CapacityLimiter(8)
        try:
            with move_on_after(_PATIENCE_SECONDS):
                return await run_sync(self._shared.count, who, minute, abandon_on_cancel=True, limiter=self._threads)
        except StoreUnavailable:
            pass
        self._breaker.open()
        _logger.warning("quotas are counted only in this process for %g s: Redis does not answer", PAUSE_SECONDS)
        return 0
