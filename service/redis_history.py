"""The history in Redis, shared by all replicas.

Keys, hash-tagged so that one series lies on one node of a cluster:

    raincell:series                             set of "product|grid"
    raincell:{product|grid}:times               sorted set: seconds since 1970 by seconds since 1970
    raincell:{product|grid}:frame:<seconds>     hash: header (JSON), data (zstd of byte-shuffled uint16)
    raincell:{product|grid}:withdrawn           hash: seconds since 1970 of a withdrawn frame -> when it was withdrawn
    raincell:epoch                              random text, gone when Redis has lost its data
    raincell:withdrawals                        how many there were, so that others learn that there was one
    raincell:fed                                sorted set: "product|grid" by when the feed last brought frames of it

What was stored and withdrawn first is told by Redis's own clock, since those of replicas may differ.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from service.codec import Series, StoredFrame, read_header
from service.fed_marks import brought, marked
from service.history import EncodedHistory, lost_of
from service.redis_client import connect, store_errors

_IDLE = timedelta(days=7)
"""Series to which nothing was added for this long go; everything else goes by the retention."""
_EPOCH = "raincell:epoch"
_SERIES = "raincell:series"
_WITHDRAWALS = "raincell:withdrawals"
_FED = "raincell:fed"
"""A sorted set: what the feed brings, and when it last did. It does not expire, so that no full Redis evicts it."""


class RedisHistory(EncodedHistory):
    """Frames in Redis; raises StoreUnavailable whenever it does not answer within its time-outs."""

    def __init__(self, url: str, retention: timedelta) -> None:
        super().__init__(retention)
        self._redis = connect(url)

    def put(self, series: Series, frames: Sequence[StoredFrame]) -> None:
        """See EncodedHistory."""
        with store_errors(), self._redis.pipeline(transaction=True) as publish:
            self._publish(publish, series, frames)
            publish.execute()

    def restore(self, series: Series, frames: Sequence[StoredFrame]) -> None:
        """See EncodedHistory."""

        def publish(pipe: Any) -> None:  # noqa: ANN401 - redis has no type for it
            if lost := lost_of(frames, self.times(*series), self.withdrawn(series)):
                self._publish(pipe, series, lost)

        with store_errors():  # begun again when somebody changes either meanwhile
            self._redis.transaction(publish, _key(series, "times"), _key(series, "withdrawn"))

    def _publish(self, pipe: Any, series: Series, frames: Sequence[StoredFrame]) -> None:  # noqa: ANN401
        """Read what has to be known, then begin the transaction and put into it what is to be written."""
        index, withdrawn = _key(series, "times"), _key(series, "withdrawn")
        newest = max([frame.valid_time for frame in frames] + self.times(*series)[-1:])
        oldest = newest - self.retention
        outdated = self._redis.zrangebyscore(index, "-inf", _seconds(oldest))
        forgotten = {time for time in self.withdrawn(series) if time <= oldest} | {f.valid_time for f in frames}
        self._redis.sadd(_SERIES, "|".join(series))
        pipe.multi()
        for frame in frames:
            _write(pipe, series, frame)
        pipe.expire(index, _IDLE)
        pipe.zremrangebyscore(index, "-inf", _seconds(oldest))
        pipe.hdel(withdrawn, *(_seconds(time) for time in forgotten))
        for member in outdated:
            pipe.delete(_key(series, f"frame:{int(member)}"))

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

    def bury(self, series: Series, time: datetime, at: float) -> bool:
        """See EncodedHistory."""
        index, withdrawn = _key(series, "times"), _key(series, "withdrawn")
        frame = _key(series, f"frame:{_seconds(time)}")

        def publish(pipe: Any) -> tuple[bool, bool]:  # noqa: ANN401 - redis has no type for it
            header = pipe.hget(frame, "header")
            if header and read_header(header).stored_at > at:
                return False, False
            listed = pipe.zscore(index, _seconds(time)) is not None
            known = float(pipe.hget(withdrawn, _seconds(time)) or "-inf")
            pipe.multi()
            pipe.zrem(index, _seconds(time))
            pipe.delete(frame)
            pipe.hset(withdrawn, _seconds(time), repr(max(at, known)))
            pipe.expire(withdrawn, _IDLE)
            return listed, listed or at > known

        with store_errors():
            found, is_new = self._redis.transaction(publish, index, frame, withdrawn, value_from_callable=True)
            if is_new:
                self._redis.incr(_WITHDRAWALS)
        return bool(found)

    def withdrawn(self, series: Series) -> dict[datetime, float]:
        """See EncodedHistory."""
        with store_errors():
            found = self._redis.hgetall(_key(series, "withdrawn"))
            return {datetime.fromtimestamp(int(time), UTC): float(at) for time, at in found.items()}

    def mark_fed(self, series: Series) -> None:
        """See EncodedHistory."""
        with store_errors():
            known = self._marks()
            kept = marked(known, series, self.now())
            with self._redis.pipeline(transaction=True) as writing:
                for gone in known.keys() - kept.keys():
                    writing.zrem(_FED, "|".join(gone))
                writing.zadd(_FED, {"|".join(series): kept[series]})
                writing.execute()

    def fed(self) -> set[Series]:
        """See EncodedHistory."""
        return brought(self._marks())

    def _marks(self) -> dict[Series, float]:
        with store_errors():
            found = self._redis.zrange(_FED, 0, -1, withscores=True)
        return {Series(*member.decode().split("|", 1)): float(at) for member, at in found}

    def now(self) -> float:
        """Redis's own clock."""
        with store_errors():
            seconds, microseconds = self._redis.time()
        return float(seconds + microseconds / 1e6)

    def epoch(self) -> str:
        """A text that stays the same for as long as Redis keeps its data and nobody withdraws a frame."""
        with store_errors():
            epoch, withdrawals = self._redis.get(_EPOCH), self._redis.get(_WITHDRAWALS)
            if epoch is None:  # not set without need: a Redis without memory refuses that, and can be read still
                self._redis.set(_EPOCH, secrets.token_hex(8), nx=True)
                epoch = self._redis.get(_EPOCH)
        return f"{epoch} {withdrawals}"


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
