"""Reference forecasts in Redis.

Keys, hash-tagged so that one series lies on one node of a cluster:

    raincell:{reference|product|grid}:times            sorted set: seconds since 1970 of the reference times
    raincell:{reference|product|grid}:run:<seconds>    hash: <n>:header (JSON), <n>:data of the n-th frame
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from service.codec import Series, StoredFrame, read_header
from service.redis_client import store_errors
from service.reference_forecasts import REFERENCE_RETENTION, ReferenceForecasts

_IDLE = timedelta(days=2)
"""Series to which nothing was added for this long go: each forecast takes megabytes."""


class RedisReferences(ReferenceForecasts):
    """Forecasts in Redis; raises StoreUnavailable whenever it does not answer.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis_client.connect`.
    """

    def __init__(self, client: Any, retention: timedelta = REFERENCE_RETENTION) -> None:  # noqa: ANN401 - untyped
        super().__init__(retention)
        self._redis = client

    def reference_times(self, series: Series) -> list[datetime]:
        """See ReferenceForecasts."""
        with store_errors():
            members = self._redis.zrange(_key(series, "times"), 0, -1)
        return [datetime.fromtimestamp(int(member), UTC) for member in members]

    def keep(self, series: Series, reference_time: datetime, frames: Sequence[StoredFrame]) -> None:
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

    def stored(self, series: Series, reference_time: datetime) -> list[StoredFrame]:
        """See ReferenceForecasts."""
        with store_errors():
            fields = self._redis.hgetall(_key(series, f"run:{_seconds(reference_time)}"))
        count = len(fields) // 2
        return [
            StoredFrame(read_header(fields[f"{n}:header".encode()]), fields[f"{n}:data".encode()]) for n in range(count)
        ]


def _fields(frames: Sequence[StoredFrame]) -> dict[str, str | bytes]:
    headers: dict[str, str | bytes] = {f"{n}:header": frame.header.model_dump_json() for n, frame in enumerate(frames)}
    return headers | {f"{n}:data": frame.data for n, frame in enumerate(frames)}


def _key(series: Series, what: str) -> str:
    return f"raincell:{{reference|{series.product}|{series.grid}}}:{what}"


def _seconds(time: datetime) -> int:
    return round(time.timestamp())
