"""Leases in Redis, shared by all replicas.

Keys: raincell:{<product.grid>}:claim:<name>    "1", with expiry; the tag is the first two parts of the name
"""

from __future__ import annotations

from typing import Any

from service.redis.client import store_errors
from service.verification.stores.leases import DONE_SECONDS, LEASE_SECONDS


class RedisLeases:
    """See Leases.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis.client.connect`.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - redis has no type
        self._redis = client

    def claim(self, name: str, seconds: float = LEASE_SECONDS) -> bool:
        """See Leases."""
        with store_errors():
            return bool(self._redis.set(_key(name), "1", nx=True, px=round(1000 * seconds)))

    def keep(self, name: str, seconds: float = DONE_SECONDS) -> None:
        """See Leases."""
        with store_errors():
            self._redis.set(_key(name), "1", px=round(1000 * seconds))

    def release(self, name: str) -> None:
        """See Leases."""
        with store_errors():
            self._redis.delete(_key(name))


def _key(name: str) -> str:
    return f"raincell:{{{'.'.join(name.split('.')[:2])}}}:claim:{name}"
