"""Reference forecasts in Redis.

Keys, hash-tagged so that one series lies on one node of a cluster:

    raincell:{reference|product|grid}:times            sorted set: seconds since 1970 of the reference times
    raincell:{reference|product|grid}:run:<seconds>    hash: <n>:header (JSON), <n>:data of the n-th frame
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from service.damage import Damage
from service.history.codec import SeriesKey, StoredFrame, series_of_header
from service.history.redis.values import frame_of, healed, times_of
from service.history.reference_forecasts import REFERENCE_RETENTION, ReferenceForecasts
from service.redis.client import store_errors

_IDLE = timedelta(days=2)
"""Seconds after the last addition when a series is removed: each forecast takes megabytes."""


class RedisReferences(ReferenceForecasts):
    """Forecasts in Redis; raises StoreUnavailable whenever Redis does not answer.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis.client.connect`.
    retention : timedelta
    damage : Damage, optional
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - redis has no type for it
        retention: timedelta = REFERENCE_RETENTION,
        damage: Damage | None = None,
    ) -> None:
        super().__init__(retention)
        self._redis = client
        self._damage = damage or Damage()

    def reference_times(self, series: SeriesKey) -> list[datetime]:
        """See ReferenceForecasts."""
        key = _key(series, "times")
        members = healed(
            self._redis, self._damage, {key: "zset"}, lambda: self._redis.zrange(key, 0, -1, withscores=True)
        )
        return times_of(members, key, self._damage)

    def keep(self, series: SeriesKey, reference_time: datetime, frames: Sequence[StoredFrame]) -> None:
        """See ReferenceForecasts."""
        kept = self.reference_times(series)
        oldest = max([*kept, reference_time]) - self.retention
        if reference_time <= oldest:
            return
        index, run = _key(series, "times"), _key(series, f"run:{_seconds(reference_time)}")
        with store_errors(), self._redis.pipeline(transaction=True) as publish:
            publish.delete(run)
            publish.hset(run, mapping=_fields(frames))
            publish.expire(run, _IDLE)
            publish.zadd(index, {str(_seconds(reference_time)): _seconds(reference_time)})
            publish.zremrangebyscore(index, "-inf", _seconds(oldest))
            publish.expire(index, _IDLE)
            for time in kept:
                if time <= oldest:
                    publish.delete(_key(series, f"run:{_seconds(time)}"))
            publish.execute()

    def stored(self, series: SeriesKey, reference_time: datetime) -> list[StoredFrame]:
        """See ReferenceForecasts; empty if one of its frames is damaged."""
        key = _key(series, f"run:{_seconds(reference_time)}")
        fields = healed(self._redis, self._damage, {key: "hash"}, lambda: self._redis.hgetall(key))
        parts = [
            (fields.get(f"{n}:header".encode()), fields.get(f"{n}:data".encode())) for n in range(len(fields) // 2)
        ]
        found = [self._frame(series, f"{key} {n}", *part) for n, part in enumerate(parts)]
        frames = [frame for frame in found if frame]
        return frames if len(frames) == len(found) else []

    def _frame(self, series: SeriesKey, name: str, header: bytes | None, data: bytes | None) -> StoredFrame | None:
        def fits(frame: StoredFrame) -> bool:
            return series_of_header(frame.header) == series

        return frame_of(header or b"", data or b"", name, "reference", self._damage, fits)


def _fields(frames: Sequence[StoredFrame]) -> dict[str, str | bytes]:
    headers: dict[str, str | bytes] = {f"{n}:header": frame.header.model_dump_json() for n, frame in enumerate(frames)}
    return headers | {f"{n}:data": frame.data for n, frame in enumerate(frames)}


def _key(series: SeriesKey, what: str) -> str:
    return f"raincell:{{reference|{series.product}|{series.grid}}}:{what}"


def _seconds(time: datetime) -> int:
    return round(time.timestamp())
