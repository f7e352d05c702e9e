"""Counts of requests in Redis, shared by all replicas.

raincell:{limit|<who>}:<minute since 1970>      integer, expires two minutes later
"""

from __future__ import annotations

from typing import Any

from service.damage import Damage
from service.redis.client import store_errors

_KEPT_SECONDS = 120
_MOST = 10**9
"""More requests than any caller makes in a minute, and than any quota allows."""
_COUNT = """
local counted = redis.pcall('INCR', KEYS[1])
if type(counted) == 'number' and counted > 0 and counted <= tonumber(ARGV[2]) then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
  return {counted, 0}
end
redis.call('SET', KEYS[1], 1, 'EX', ARGV[1])
return {1, 1}"""
"""One step, so that an invalid count affects only its caller. A Redis that refuses writes also refuses SET."""


class RedisRateLimits:
    """See service.security.quotas.RateLimits. An invalid count is reset.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis.client.connect`.
    damage : Damage, optional
    """

    def __init__(self, client: Any, damage: Damage | None = None) -> None:  # noqa: ANN401 - redis has no type for it
        self._redis = client
        self._damage = damage or Damage()

    def count(self, who: str, minute: int) -> int:
        """See RateLimits."""
        key = f"raincell:{{limit|{who}}}:{minute}"
        with store_errors():
            counted, began_anew = self._redis.eval(_COUNT, 1, key, _KEPT_SECONDS, _MOST)
        if began_anew:
            self._damage.drop("quota", key, "not a number of requests; it is reset")
        return int(counted)
