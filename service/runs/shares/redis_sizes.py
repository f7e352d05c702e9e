"""The bytes of what is stored of runs, in Redis, the same for all replicas.

Key: one hash, id -> bytes. It is written before what it counts, and may count what Redis let go meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any

from service.damage import Damage, Kind
from service.history.redis.values import healed
from service.runs.run import tag_of
from service.runs.shares.run_shares import RunShares

_SIZE = re.compile(rb"[0-9]{1,15}")
_MOST_COUNTED = 4096
"""With more of them, those that are gone are forgotten."""


class RedisSizes:
    """Counts what is stored, and says what is to go.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis.client.connect`.
    key : str
    kind : Kind
        Of what is stored, for damage.
    shares : RunShares
    place : callable
        The key at which what has an id is stored.
    kept : timedelta
        How long the counts stay after the last one came.
    damage : Damage
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - redis has no type for it
        key: str,
        kind: Kind,
        shares: RunShares,
        place: Callable[[str], str],
        kept: timedelta,
        damage: Damage,
    ) -> None:
        self._redis = client
        self._key, self._kind = key, kind
        self._shares = shares
        self._place = place
        self._kept = kept
        self._damage = damage

    def to_let_go(self, new: str, size: int) -> list[str]:
        """What its caller has to delete for a new one, which counts from now on; raises NoRoomForRun."""
        held = self._held()
        held.pop(new, None)
        if sum(held.values()) + size > self._shares.most or len(held) > _MOST_COUNTED:
            held = self._present(held)
        gone = self._shares.to_let_go(new, size, held)

        def count() -> None:
            with self._redis.pipeline(transaction=True) as counting:
                counting.hset(self._key, new, size)
                counting.expire(self._key, self._kept)
                counting.execute()

        self._healed(count)
        return gone

    def forget(self, ids: Collection[str]) -> None:
        """Those are stored no longer."""
        if ids:
            self._healed(lambda: self._redis.hdel(self._key, *ids))

    def _held(self) -> dict[str, int]:
        found = {}
        for member, size in self._healed(lambda: self._redis.hgetall(self._key)).items():
            name = member.decode(errors="backslashreplace")
            if tag_of(name.partition(":")[0]) is None or not _SIZE.fullmatch(size):
                self._damage.drop(self._kind, f"{name} in {self._key}", "not the id of a run and its bytes")
            else:
                found[name] = int(size)
        return found

    def _present(self, held: Mapping[str, int]) -> dict[str, int]:
        """Those that are still stored; the others are forgotten."""

        def look() -> list[int]:
            with self._redis.pipeline(transaction=False) as reading:
                for each in held:
                    reading.exists(self._place(each))
                return list(reading.execute())

        there = dict(zip(held, self._healed(look), strict=True))
        self.forget([each for each in held if not there[each]])
        return {each: size for each, size in held.items() if there[each]}

    def _healed(self, work: Callable[[], Any]) -> Any:  # noqa: ANN401 - redis has no type for it
        return healed(self._redis, self._damage, {self._key: "hash"}, work)
