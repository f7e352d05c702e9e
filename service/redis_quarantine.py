"""The list of quarantined frames in Redis, where the feed writes it and every replica of the service reads it.

Key: raincell:{quarantine}:entries, a hash of JSON by product and time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from service.quarantine import QuarantineEntry, frame_key, newest_first, outdated
from service.redis_client import store_errors

_KEY = "raincell:{quarantine}:entries"
_IDLE = timedelta(days=7)


class RedisQuarantine:
    """A QuarantineList in Redis; raises StoreUnavailable whenever it does not answer.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis_client.connect`.
    """

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - redis has no type for it
        self._redis = client

    def put(self, entry: QuarantineEntry) -> None:
        """See QuarantineList."""
        with store_errors():
            # Not after Redis's clock: entries of a replica whose own is ahead would stand before all others.
            now = datetime.fromtimestamp(self._redis.time()[0], UTC)
            entry = entry.model_copy(update={"noted_at": min(entry.noted_at, now)})
            self._redis.hset(_KEY, entry.key, entry.model_dump_json())
            self._redis.expire(_KEY, _IDLE)
        if gone := outdated(self.entries()):
            with store_errors():
                self._redis.hdel(_KEY, *(old.key for old in gone))

    def entries(self) -> list[QuarantineEntry]:
        """See QuarantineList; what another version wrote is passed by."""
        with store_errors():
            stored = self._redis.hvals(_KEY)
        return newest_first(entry for text in stored if (entry := _read(text)))

    def clear(self, product: str, times: Iterable[datetime]) -> None:
        """See QuarantineList."""
        with store_errors():
            self._redis.hdel(_KEY, *(frame_key(product, time) for time in times))


def _read(text: bytes) -> QuarantineEntry | None:
    try:
        return QuarantineEntry.model_validate_json(text)
    except ValidationError:
        return None
