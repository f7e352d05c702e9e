"""Counts of requests in Redis, shared by all replicas.

raincell:{limit|<who>}:<minute since 1970>      integer, gone two minutes later
"""

from __future__ import annotations

from service.redis.client import connect, store_errors

_KEPT_SECONDS = 120


class RedisLimits:
    """See service.security.quotas.Limits."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url)

    def count(self, who: str, minute: int) -> int:
        """See Limits."""
        key = f"raincell:{{limit|{who}}}:{minute}"
        with store_errors(), self._redis.pipeline(transaction=True) as counting:
            counting.incr(key)
            counting.expire(key, _KEPT_SECONDS)
            return int(counting.execute()[0])
