"""The callers that began the stored series, in Redis, shared by all replicas.

Key: raincell:begun, a hash: "product|grid" -> seconds since 1970, a space, and the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from service.damage import Damage
from service.history.beginnings import Beginning, begun
from service.history.codec import SeriesKey
from service.history.redis.values import healed, moment_of, series_of_member

_KEY = "raincell:begun"
_LONGEST = 200


class RedisBeginnings:
    """See service.history.beginnings.Beginnings. Records that Redis loses are restored from this process's copy.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis.client.connect`.
    damage : Damage
    """

    def __init__(self, client: Any, damage: Damage) -> None:  # noqa: ANN401 - redis has no type for it
        self._redis = client
        self._damage = damage
        self._copy: dict[SeriesKey, Beginning] = {}

    def begin(self, series: SeriesKey, who: str, stored: Collection[SeriesKey], most: int, now: float) -> None:
        """See Beginnings; repeated if another replica changes the records meanwhile."""

        def publish(pipe: Any) -> dict[SeriesKey, Beginning]:  # noqa: ANN401 - redis has no type for it
            read = pipe.hgetall(_KEY)
            known = self._read(read)
            wanted = begun(known, series, Beginning(who, now), stored, most)
            pipe.multi()
            if gone := read.keys() - {_member(one) for one in wanted}:
                pipe.hdel(_KEY, *gone)
            if series in wanted and series not in known:
                pipe.hset(_KEY, mapping=_written({series: wanted[series]}))
            return wanted

        def transact() -> dict[SeriesKey, Beginning]:
            done: dict[SeriesKey, Beginning] = self._redis.transaction(publish, _KEY, value_from_callable=True)
            return done

        self._copy = healed(self._redis, self._damage, {_KEY: "hash"}, transact)

    def forget(self, series: SeriesKey) -> None:
        """See Beginnings."""
        healed(self._redis, self._damage, {_KEY: "hash"}, lambda: self._redis.hdel(_KEY, _member(series)))

    def by(self) -> dict[SeriesKey, str]:
        """See Beginnings."""
        return {series: beginning.who for series, beginning in self._all().items()}

    def agree(self) -> None:
        """See Beginnings."""
        known = self._all()
        if not known and self._copy:
            given = _written(self._copy)
            healed(self._redis, self._damage, {_KEY: "hash"}, lambda: self._redis.hset(_KEY, mapping=given))
        self._copy = known or self._copy

    def _all(self) -> dict[SeriesKey, Beginning]:
        return self._read(healed(self._redis, self._damage, {_KEY: "hash"}, lambda: self._redis.hgetall(_KEY)))

    def _read(self, stored: Mapping[bytes, bytes]) -> dict[SeriesKey, Beginning]:
        found = {}
        for member, text in stored.items():
            series = series_of_member(member, _KEY, "series", self._damage)
            seconds, _, who = text.decode(errors="backslashreplace").partition(" ")
            at = moment_of(seconds.encode())
            if at is None or not who or len(who) > _LONGEST:
                self._damage.drop("series", f"{member!r} in {_KEY}", "no time and caller that began it")
            elif series:
                found[series] = Beginning(who, at)
        return found


def _member(series: SeriesKey) -> bytes:
    return "|".join(series).encode()


def _written(known: Mapping[SeriesKey, Beginning]) -> dict[str | bytes, str]:
    return {_member(series): f"{each.at!r} {each.who}" for series, each in known.items()}
