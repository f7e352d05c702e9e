"""Counts of requests in Redis, shared by all replicas.

raincell:{limit|<who>}:<minute since 1970>      integer, gone two minutes later
"""

from __future__ import annotations

from typing import Any

from service.redis.client import store_errors

_KEPT_SECONDS = 120


class RedisRateLimits:
    """See service.security.quotas.RateLimits.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis.client.connect`.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - redis has no type for it
        self._redis = client

    def count(self, who: str, minute: int) -> int:
        """See RateLimits."""
        key = f"raincell:{{limit|{who}}}:{minute}"
        with store_errors(), self._redis.pipeline(transaction=True) as counting:
            counting.incr(key)
            counting.expire(key, _KEPT_SECONDS)
            return int(counting.execute()[0])
