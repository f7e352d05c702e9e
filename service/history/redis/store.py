"""The history in Redis, shared by all replicas.

Keys, hash-tagged so that one series lies on one node of a cluster:

    raincell:series                             set of "product|grid"
    raincell:{product|grid}:times               sorted set: seconds since 1970 by seconds since 1970
    raincell:{product|grid}:frame:<seconds>     hash: header (JSON), data (zstd of byte-shuffled uint16)
    raincell:{product|grid}:withdrawn           hash: seconds since 1970 of a withdrawn frame -> when it was withdrawn
    raincell:epoch                              random text, gone when Redis has lost its data
    raincell:withdrawals                        count of withdrawals, so that other processes notice a new one
    raincell:begun                              the callers that began series, see service.history.redis.beginnings
    raincell:fed                                the series that the feed brings, see service.history.redis.fed_marks

Redis's own clock orders storage and withdrawals, since the clocks of replicas may differ.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from service.damage import Damage
from service.history.codec import FrameHeader, SeriesKey, StoredFrame, read_header, series_of_header
from service.history.fed_marks import brought
from service.history.frame_shares import Shares
from service.history.redis.beginnings import RedisBeginnings
from service.history.redis.fed_marks import RedisFedMarks
from service.history.redis.keys import frame_key, index_key, seconds_of, series_key
from service.history.redis.sizes import frame_bytes, listed_bytes
from service.history.redis.values import (
    frame_of,
    header_of,
    healed,
    moment_of,
    read_or_none,
    series_of_member,
    time_of,
    times_of,
)
from service.history.store import EncodedHistory, lost_of
from service.redis.client import store_errors

T = TypeVar("T")

_IDLE = timedelta(days=7)
"""Time after the last addition when a series is removed; everything else follows the retention."""
_EPOCH = "raincell:epoch"
_SERIES = "raincell:series"
_MOST_EMPTY = 256
"""The most listed series that may be without frames: those of withdrawn frames, and many more."""
_FORGET = "if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SREM', KEYS[1], ARGV[1]) end return 1"
_WITHDRAWALS = "raincell:withdrawals"
_EPOCH_TYPES = {_EPOCH: "string", _WITHDRAWALS: "string"}


class RedisHistory(EncodedHistory):
    """Frames in Redis; raises StoreUnavailable whenever Redis does not answer within its time-outs.

    A value that no version writes counts as missing, and is noted in `damage`.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis.client.connect`.
    retention : timedelta
    damage : Damage, optional
    shares : Shares, optional
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - redis has no type for it
        retention: timedelta,
        damage: Damage | None = None,
        shares: Shares | None = None,
    ) -> None:
        super().__init__(retention, shares)
        self._redis = client
        self._damage = damage or Damage()
        self._marks = RedisFedMarks(self._redis, self._damage)
        self.beginnings = RedisBeginnings(self._redis, self._damage)

    def put(self, series: SeriesKey, frames: Sequence[StoredFrame]) -> None:
        """See EncodedHistory."""

        def publish() -> None:
            with self._redis.pipeline(transaction=True) as pipe:
                self._publish(pipe, series, frames)
                pipe.execute()
            self._redis.sadd(_SERIES, "|".join(series))  # `_prune` may have removed it meanwhile

        self._healed(series, publish, [frame.valid_time for frame in frames])

    def restore(self, series: SeriesKey, frames: Sequence[StoredFrame]) -> None:
        """See EncodedHistory."""

        def publish(pipe: Any) -> None:  # noqa: ANN401 - redis has no type for it
            if lost := lost_of(frames, self.times(*series), self.withdrawn(series)):
                self._publish(pipe, series, lost)

        # Repeated if another process changes either meanwhile.
        self._healed(
            series,
            lambda: self._redis.transaction(publish, index_key(series), series_key(series, "withdrawn")),
            [frame.valid_time for frame in frames],
        )

    def _publish(self, pipe: Any, series: SeriesKey, frames: Sequence[StoredFrame]) -> None:  # noqa: ANN401
        """Read the current values, then begin the transaction and add its writes."""
        index, withdrawn = index_key(series), series_key(series, "withdrawn")
        newest = max([frame.valid_time for frame in frames] + self.times(*series)[-1:])
        oldest = newest - self.retention
        outdated = self._redis.zrangebyscore(index, "-inf", seconds_of(oldest))
        forgotten = {time for time in self.withdrawn(series) if time <= oldest} | {f.valid_time for f in frames}
        self._redis.sadd(_SERIES, "|".join(series))
        pipe.multi()
        for frame in frames:
            _write(pipe, series, frame)
        pipe.expire(index, _IDLE)
        pipe.zremrangebyscore(index, "-inf", seconds_of(oldest))
        pipe.hdel(withdrawn, *(seconds_of(time) for time in forgotten))
        for time in filter(None, map(time_of, outdated)):
            pipe.delete(frame_key(series, time))

    def newest(self, series: SeriesKey, count: int) -> list[StoredFrame]:
        """See EncodedHistory."""
        times = self.times(*series)[-count:]

        def read() -> list[tuple[bytes | None, bytes | None]]:
            with self._redis.pipeline(transaction=False) as reading:
                for time in times:
                    reading.hmget(frame_key(series, time), "header", "data")
                return list(reading.execute())

        found = zip(times, self._healed(series, read, times), strict=True)  # an evicted or damaged frame is a gap
        frames = [self._frame(series, time, header, data) for time, (header, data) in found if header and data]
        return [frame for frame in frames if frame]

    def _frame(self, series: SeriesKey, time: datetime, header: bytes, data: bytes) -> StoredFrame | None:
        def fits(frame: StoredFrame) -> bool:
            return series_of_header(frame.header) == series and frame.valid_time == time

        return frame_of(header, data, frame_key(series, time), "frame", self._damage, fits)

    def newest_header(self, series: SeriesKey) -> FrameHeader | None:
        """See EncodedHistory."""
        if not (times := self.times(*series)[-1:]):
            return None
        key = frame_key(series, times[0])
        text = self._healed(series, lambda: self._redis.hget(key, "header"), times)
        return header_of(text, key, series, times[0], self._damage) if text else None

    def series_bytes(self, series: Sequence[SeriesKey]) -> list[int]:
        """See EncodedHistory."""
        return listed_bytes(
            self._redis, self._damage, [(index_key(each), series_key(each, "frame:")) for each in series]
        )

    def frame_bytes(self, series: SeriesKey, times: Collection[datetime]) -> int:
        """See EncodedHistory."""
        return frame_bytes(self._redis, self._damage, [frame_key(series, time) for time in times])

    def times(self, product: str, grid: str) -> list[datetime]:
        """See EncodedHistory."""
        series = SeriesKey(product, grid)
        key = index_key(series)
        members = self._healed(series, lambda: self._redis.zrange(key, 0, -1, withscores=True))
        return times_of(members, key, self._damage)

    def products(self) -> list[SeriesKey]:
        """See EncodedHistory."""
        members = healed(self._redis, self._damage, {_SERIES: "set"}, lambda: self._redis.smembers(_SERIES))
        read = (series_of_member(member, _SERIES, "series", self._damage) for member in members)
        listed = [series for series in read if series]

        def sizes() -> list[int]:
            with self._redis.pipeline(transaction=False) as reading:
                for series in listed:
                    reading.zcard(index_key(series))
                return list(reading.execute())

        found = healed(self._redis, self._damage, {index_key(series): "zset" for series in listed}, sizes)
        sizes_of = dict(zip(listed, found, strict=True))
        empty = [series for series, size in sizes_of.items() if not size]
        if len(empty) > _MOST_EMPTY:
            self._prune(empty)
        return sorted(series for series, size in sizes_of.items() if size)

    def _prune(self, empty: Sequence[SeriesKey]) -> None:
        """Remove series without frames from the list, which every request reads."""
        self._damage.drop("series", _SERIES, f"{len(empty)} series without any frame; taken from the list")
        with store_errors(), self._redis.pipeline(transaction=False) as pruning:
            for series in empty:
                pruning.eval(_FORGET, 2, _SERIES, index_key(series), "|".join(series))
            pruning.execute()

    def bury(self, series: SeriesKey, time: datetime, at: float) -> bool:
        """See EncodedHistory."""
        index, withdrawn = index_key(series), series_key(series, "withdrawn")
        frame = frame_key(series, time)

        def publish(pipe: Any) -> tuple[bool, bool]:  # noqa: ANN401 - redis has no type for it
            text = pipe.hget(frame, "header")
            header = read_or_none(lambda: read_header(text), "frame", frame, self._damage) if text else None
            if header and header.stored_at > at:
                return False, False
            listed = pipe.zscore(index, seconds_of(time)) is not None
            known = moment_of(pipe.hget(withdrawn, seconds_of(time)) or b"")
            pipe.multi()
            pipe.zrem(index, seconds_of(time))
            pipe.delete(frame)
            pipe.hset(withdrawn, seconds_of(time), repr(at if known is None else max(at, known)))
            pipe.expire(withdrawn, _IDLE)
            return listed, listed or known is None or at > known

        def transact() -> tuple[bool, bool]:
            done: tuple[bool, bool] = self._redis.transaction(
                publish, index, frame, withdrawn, value_from_callable=True
            )
            return done

        found, is_new = self._healed(series, transact, [time])
        if is_new:
            self._count_withdrawal()
        return found

    def _count_withdrawal(self) -> None:
        """Count the withdrawal. An invalid count is replaced by a new one: other processes only look for changes."""
        counted = _WITHDRAWALS, "not an integer that can grow"

        def count() -> None:
            known = self._redis.get(_WITHDRAWALS)
            if known is not None and time_of(known) is None:
                self._damage.drop("key", *counted)
                self._redis.set(_WITHDRAWALS, int(self.now()))
            self._redis.incr(_WITHDRAWALS)

        healed(self._redis, self._damage, _EPOCH_TYPES, count)

    def withdrawn(self, series: SeriesKey) -> dict[datetime, float]:
        """See EncodedHistory."""
        key = series_key(series, "withdrawn")
        found: dict[datetime, float] = {}
        for member, text in self._healed(series, lambda: self._redis.hgetall(key)).items():
            time, at = time_of(member), moment_of(text)
            if time is None or at is None:
                self._damage.drop("withdrawal", f"{member!r} in {key}", "not a time and when it was withdrawn")
            else:
                found[time] = at
        return found

    def mark_fed(self, series: SeriesKey) -> None:
        """See EncodedHistory."""
        self._marks.mark(series, self.now())

    def fed(self) -> set[SeriesKey]:
        """See EncodedHistory."""
        return brought(self._marks.all())

    def now(self) -> float:
        """Redis's own clock."""
        with store_errors():
            seconds, microseconds = self._redis.time()
        return float(seconds + microseconds / 1e6)

    def epoch(self) -> str:
        """A text that stays the same while Redis keeps its data and no frame is withdrawn."""

        def read() -> str:
            epoch, withdrawals = self._redis.get(_EPOCH), self._redis.get(_WITHDRAWALS)
            if epoch is None:  # set only if needed: a Redis without memory refuses writes, but can still be read
                self._redis.set(_EPOCH, secrets.token_hex(8), nx=True)
                epoch = self._redis.get(_EPOCH)
            return f"{epoch} {withdrawals}"

        return healed(self._redis, self._damage, _EPOCH_TYPES, read)

    def _healed(self, series: SeriesKey, work: Callable[[], T], frames: Sequence[datetime] = ()) -> T:
        """The result of `work`, which uses keys of one series: its index, its withdrawals, and these frames."""
        types = {_SERIES: "set", index_key(series): "zset", series_key(series, "withdrawn"): "hash"}
        types |= {frame_key(series, time): "hash" for time in frames}
        return healed(self._redis, self._damage, types, work)


def _write(publish: Any, series: SeriesKey, frame: StoredFrame) -> None:  # noqa: ANN401 - redis has no type for it
    seconds = seconds_of(frame.valid_time)
    key = frame_key(series, frame.valid_time)
    publish.hset(key, mapping={"header": frame.header.model_dump_json(), "data": frame.data})
    publish.expire(key, _IDLE)
    publish.zadd(index_key(series), {str(seconds): seconds})
