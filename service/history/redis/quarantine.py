"""The list of quarantined frames in Redis: the feed writes it, and every replica of the service reads it.

Key: raincell:{quarantine}:entries, a hash of JSON by product and time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import ValidationError

from service.damage import Damage
from service.history.quarantine import QuarantineEntry, frame_key, newest_first, outdated
from service.history.redis.values import healed

T = TypeVar("T")

_KEY = "raincell:{quarantine}:entries"
_IDLE = timedelta(days=7)


class RedisQuarantine:
    """A QuarantineList in Redis; raises StoreUnavailable whenever Redis does not answer.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis.client.connect`.
    damage : Damage, optional
    """

    def __init__(self, client: Any, damage: Damage | None = None) -> None:  # noqa: ANN401 - redis has no type for it
        self._redis = client
        self._damage = damage or Damage()

    def put(self, entry: QuarantineEntry) -> None:
        """See QuarantineList; unreadable entries are removed."""

        def write() -> None:
            # Not later than Redis's clock: entries of a replica whose clock is ahead would precede all others.
            now = datetime.fromtimestamp(self._redis.time()[0], UTC)
            dated = entry.model_copy(update={"noted_at": min(entry.noted_at, now)})
            self._redis.hset(_KEY, dated.key, dated.model_dump_json())
            self._redis.expire(_KEY, _IDLE)

        self._healed(write)
        stored = self._stored()
        old = [gone.key.encode() for gone in outdated(newest_first(read for read in stored.values() if read))]
        if gone := [*old, *(name for name, read in stored.items() if read is None)]:
            self._healed(lambda: self._redis.hdel(_KEY, *gone))

    def entries(self) -> list[QuarantineEntry]:
        """See QuarantineList; unreadable entries are skipped."""
        return newest_first(read for read in self._stored().values() if read)

    def clear(self, product: str, times: Iterable[datetime]) -> None:
        """See QuarantineList."""
        self._healed(lambda: self._redis.hdel(_KEY, *(frame_key(product, time) for time in times)))

    def _stored(self) -> dict[bytes, QuarantineEntry | None]:
        """All entries by name, None for an invalid one."""
        stored = self._healed(lambda: self._redis.hgetall(_KEY))
        found = {name: _read(text, name) for name, text in stored.items()}
        for name, entry in found.items():
            if entry is None:
                self._damage.drop("quarantine", name, "not an entry that fits its name")
        return found

    def _healed(self, work: Callable[[], T]) -> T:
        return healed(self._redis, self._damage, {_KEY: "hash"}, work)


def _read(text: bytes, name: bytes) -> QuarantineEntry | None:
    try:
        entry = QuarantineEntry.model_validate_json(text)
    except ValidationError:
        return None
    return entry if entry.key.encode() == name and entry.noted_at.tzinfo else None
