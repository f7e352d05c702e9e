"""The history in Redis, shared by all replicas.

Keys, hash-tagged so that one series lies on one node of a cluster:

    raincell:series                             set of "product|grid"
    raincell:{product|grid}:times               sorted set: seconds since 1970 by seconds since 1970
    raincell:{product|grid}:frame:<seconds>     hash: header (JSON), data (zstd of byte-shuffled uint16)
    raincell:epoch                              random text, gone when Redis has lost its data
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from service.codec import Series, StoredFrame, read_header
from service.history import EncodedHistory
from service.redis_client import connect, store_errors

_IDLE = timedelta(days=7)
"""Series to which nothing was added for this long go; everything else goes by the retention."""
_EPOCH = "raincell:epoch"
_SERIES = "raincell:series"


class RedisHistory(EncodedHistory):
    """Frames in Redis; raises StoreUnavailable whenever it does not answer within its time-outs."""

    def __init__(self, url: str, retention: timedelta) -> None:
        super().__init__(retention)
        self._redis = connect(url)

    def put(self, series: Series, frames: Sequence[StoredFrame]) -> None:
        """See EncodedHistory."""
        with store_errors():
            index = _key(series, "times")
            newest = max([frame.valid_time for frame in frames] + self.times(*series)[-1:])
            oldest = _seconds(newest - self.retention)
            outdated = self._redis.zrangebyscore(index, "-inf", oldest)
            self._redis.sadd(_SERIES, "|".join(series))
            with self._redis.pipeline(transaction=True) as publish:
                for frame in frames:
                    _write(publish, series, frame)
                publish.expire(index, _IDLE)
                publish.zremrangebyscore(index, "-inf", oldest)
                for member in outdated:
                    publish.delete(_key(series, f"frame:{int(member)}"))
                publish.execute()

    def newest(self, series: Series, count: int) -> list[StoredFrame]:
        """See EncodedHistory."""
        with store_errors():
            members = self._redis.zrange(_key(series, "times"), -count, -1)
            with self._redis.pipeline(transaction=False) as reading:
                for member in members:
                    reading.hmget(_key(series, f"frame:{int(member)}"), "header", "data")
                found = reading.execute()
        # A frame that Redis evicted is a gap like any other.
        return [StoredFrame(read_header(header), data) for header, data in found if header and data]

    def times(self, product: str, grid: str) -> list[datetime]:
        """See HistoryStore."""
        with store_errors():
            members = self._redis.zrange(_key(Series(product, grid), "times"), 0, -1)
        return [datetime.fromtimestamp(int(member), UTC) for member in members]

    def products(self) -> list[Series]:
        """See HistoryStore."""
        with store_errors():
            listed = [Series(*member.decode().split("|", 1)) for member in self._redis.smembers(_SERIES)]
            with self._redis.pipeline(transaction=False) as reading:
                for series in listed:
                    reading.zcard(_key(series, "times"))
                return sorted(series for series, size in zip(listed, reading.execute(), strict=True) if size)

    def remove(self, series: Series, time: datetime) -> bool:
        """See EncodedHistory."""
        with store_errors(), self._redis.pipeline(transaction=True) as publish:
            publish.zrem(_key(series, "times"), _seconds(time))
            publish.delete(_key(series, f"frame:{_seconds(time)}"))
            return bool(publish.execute()[0])

    def epoch(self) -> str:
        """A text that stays the same for as long as Redis keeps its data."""
        with store_errors():
            self._redis.set(_EPOCH, secrets.token_hex(8), nx=True)
            return str(self._redis.get(_EPOCH))


def _write(publish: Any, series: Series, frame: StoredFrame) -> None:  # noqa: ANN401 - redis has no type for it
    seconds = _seconds(frame.valid_time)
    key = _key(series, f"frame:{seconds}")
    publish.hset(key, mapping={"header": frame.header.model_dump_json(), "data": frame.data})
    publish.expire(key, _IDLE)
    publish.zadd(_key(series, "times"), {str(seconds): seconds})


def _key(series: Series, what: str) -> str:
    return f"raincell:{{{series.product}|{series.grid}}}:{what}"


def _seconds(time: datetime) -> int:
    return round(time.timestamp())
