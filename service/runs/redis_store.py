"""Runs in Redis, shared by all replicas.

Keys, hash-tagged with product and grid as they stand in the ids of runs:

    raincell:{product.grid}:runs         sorted set: run ids by reference time, seconds since 1970
    raincell:{product.grid}:run:<id>     hash: run (JSON), covered, for each minute m header:m (JSON) and data:m, and
                                         for each lead of a run with a distribution odds:m
    raincell:{product.grid}:latest       id of the latest run
    raincell:{product.grid}:expired      sorted set: ids of removed runs, by time of removal
    raincell:{product.grid}:lock         token of the replica that makes a run, with expiry
    raincell:runs:bytes                  hash: bytes of each run of all series
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import ValidationError

from service.damage import Damage
from service.errors import StoredValueDamaged
from service.history.codec import SeriesKey, StoredFrame
from service.history.redis.values import checked_once, frame_of, healed
from service.redis.client import store_errors
from service.runs.coverage import unpack
from service.runs.odds.codec import unpack as unpack_odds
from service.runs.run import Run, WholeRun, series_tag, tag_of
from service.runs.shares.redis_sizes import RedisSizes
from service.runs.shares.run_shares import RunShares
from service.runs.store import MOST_EXPIRED, MOST_RUNS, expired, newest_first, outdated, unknown

T = TypeVar("T")

_IDLE = timedelta(days=7)
"""Runs of series that get no more go after this, and so do the ids of those that went before."""

# One step on the server each: between asking who holds the lock and acting on it nobody may come in between.
_LOCK = """
local holder = redis.call('GET', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if holder and holder ~= ARGV[1] and left >= 0 and left <= tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_LONGEST_LOCK_MS = 600_000
"""A lock is taken for seconds; one that ends later, or never, is invalid."""
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1"
_POINT = """
if ARGV[2] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[3])
return 1
"""


class RedisRuns:
    """See RunStore.

    A run with an unreadable part is deleted once that is found, and noted in `damage`, so that it is made again.

    Parameters
    ----------
    client : redis.Redis
        See `service.redis.client.connect`.
    retention : timedelta
    most : int
        Runs of a series.
    damage : Damage, optional
    shares : RunShares, optional
        Bytes of all of them.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - redis has no type for it
        retention: timedelta,
        most: int = MOST_RUNS,
        damage: Damage | None = None,
        shares: RunShares | None = None,
    ) -> None:
        self._redis = client
        self._retention = retention
        self._most = most
        self._damage = damage or Damage()
        self._sizes = RedisSizes(
            client, "raincell:runs:bytes", "run", shares or RunShares(), _place, _IDLE, self._damage
        )

    def put(self, whole: WholeRun) -> None:
        """See RunStore."""
        run, tag = whole.run, series_tag(whole.run.series)
        key = _key(tag, f"run:{run.id}")
        fields: dict[str, str | bytes] = {"run": run.model_dump_json(), "covered": whole.covered}
        for minutes, frame in whole.frames.items():
            fields[f"header:{minutes}"] = frame.header.model_dump_json()
            fields[f"data:{minutes}"] = frame.data
        fields |= {f"odds:{minutes}": packed for minutes, packed in whole.odds.items()}

        def write() -> None:
            if self._redis.exists(key):
                return
            self._make_room(whole)
            others = [other for other in self.runs(run.series) if other.id != run.id]
            gone = outdated(run, newest_first([run, *others]), self._retention, self._most)
            with self._redis.pipeline(transaction=True) as publish:
                publish.hset(key, mapping=fields)
                publish.expire(key, _IDLE)
                publish.zadd(_key(tag, "runs"), {run.id: round(run.reference_time.timestamp())})
                publish.expire(_key(tag, "runs"), _IDLE)
                self._let_go(publish, tag, gone)
                publish.execute()
            self._sizes.forget(gone)

        self._healed(tag, write, run.id)

    def point(self, series: SeriesKey, run_id: str, token: str | None = None) -> bool:
        """See RunStore."""
        tag, idle = series_tag(series), round(_IDLE.total_seconds())
        keys = (_key(tag, "lock"), _key(tag, "latest"))
        return bool(self._healed(tag, lambda: self._redis.eval(_POINT, 2, *keys, run_id, token or "", idle)))

    def latest(self, series: SeriesKey) -> Run | None:
        """See RunStore; also None if the pointer names anything but a run of the series."""
        tag = series_tag(series)
        named = self._healed(tag, lambda: self._redis.get(_key(tag, "latest")))
        if named is None:
            return None
        run_id = named.decode(errors="backslashreplace")
        if tag_of(run_id) != tag:
            self._damage.drop("run", f"{run_id} in {_key(tag, 'latest')}", "not the id of a run of its series")
            return None
        text = self._healed(tag, lambda: self._redis.hget(_key(tag, f"run:{run_id}"), "run"), run_id)
        return self._read(tag, run_id, text) if text else None

    def get(self, run_id: str) -> Run:
        """See RunStore."""
        run, _ = self._with_parts(run_id, [])
        return run

    def frames(self, run_id: str, minutes: Sequence[int]) -> list[StoredFrame]:
        """See RunStore."""
        run = self.get(run_id)
        found = self._fields(run_id, [f"{part}:{minute}" for minute in minutes for part in ("header", "data")])
        return [
            self._frame(run, minute, *parts)
            for minute, parts in zip(minutes, zip(found[::2], found[1::2], strict=True), strict=True)
        ]

    def covered(self, run_id: str) -> bytes:
        """See RunStore."""
        run = self.get(run_id)
        (packed,) = self._fields(run_id, ["covered"])
        try:
            unpack(packed, run.grid.shape)
        except StoredValueDamaged as error:
            self._discard(run_id, f"covered: {error.got}")
            raise expired(run_id) from None
        return packed

    def odds(self, run_id: str, minutes: Sequence[int]) -> list[bytes]:
        """See RunStore."""
        run, found = self._with_parts(run_id, [f"odds:{minute}" for minute in minutes])
        for minute, packed in zip(minutes, found, strict=True):
            try:
                checked_once(packed, (len(run.thresholds), *run.grid.shape), unpack_odds)
            except StoredValueDamaged as error:
                self._discard(run_id, f"odds of {minute} minutes: {error.got}")
                raise expired(run_id) from None
        return found

    def runs(self, series: SeriesKey) -> list[Run]:
        """See RunStore."""
        tag = series_tag(series)
        members = self._healed(tag, lambda: self._redis.zrange(_key(tag, "runs"), 0, -1))
        ids = [member.decode(errors="backslashreplace") for member in members]
        for other in [run_id for run_id in ids if tag_of(run_id) != tag]:
            self._damage.drop("run", f"{other} in {_key(tag, 'runs')}", "not the id of a run of its series")
        ids = [run_id for run_id in ids if tag_of(run_id) == tag]

        def read() -> list[bytes | None]:
            with self._redis.pipeline(transaction=False) as reading:
                for run_id in ids:
                    reading.hget(_key(tag, f"run:{run_id}"), "run")
                return list(reading.execute())

        found = zip(ids, self._healed(tag, read, *ids), strict=True)
        read_ones = [self._read(tag, run_id, text) for run_id, text in found if text]  # others were evicted
        return newest_first([run for run in read_ones if run])

    def lock(self, series: SeriesKey, token: str, seconds: float) -> bool:
        """See RunStore."""
        tag, milliseconds = series_tag(series), round(1000 * seconds)
        longest = max(_LONGEST_LOCK_MS, milliseconds)
        key = _key(tag, "lock")
        return bool(self._healed(tag, lambda: self._redis.eval(_LOCK, 1, key, token, milliseconds, longest)))

    def unlock(self, series: SeriesKey, token: str) -> None:
        """See RunStore."""
        with store_errors():
            self._redis.eval(_UNLOCK, 1, _key(series_tag(series), "lock"), token)

    def _with_parts(self, run_id: str, names: Sequence[str]) -> tuple[Run, list[bytes]]:
        """A run and fields of its hash; one that alone is missing is a missing part."""
        text, *found = self._fields(run_id, ["run", *names])
        run = self._read(tag_of(run_id) or "", run_id, text)
        if run is None:
            raise expired(run_id)
        return run, found

    def _fields(self, run_id: str, names: Sequence[str]) -> list[bytes]:
        tag = tag_of(run_id)
        if tag is None:
            raise unknown(run_id)

        def read() -> tuple[list[bytes | None], bool]:
            found = self._redis.hmget(_key(tag, f"run:{run_id}"), names)
            if None not in found:
                return list(found), True
            # Evicted runs are still in the index.
            return found, any(self._redis.zscore(_key(tag, index), run_id) is not None for index in ("expired", "runs"))

        found, known = self._healed(tag, read, run_id)
        whole = [part for part in found if part is not None]
        if len(whole) == len(names):
            return whole
        if whole:
            self._discard(run_id, "a part of it is missing")
        raise expired(run_id) if known else unknown(run_id)

    def _read(self, tag: str, run_id: str, text: bytes) -> Run | None:
        """The run of that id; None for a damaged one, which is deleted."""
        try:
            run = Run.model_validate_json(text)
        except (ValidationError, OverflowError):
            self._discard(run_id, "an index of another form")
            return None
        if run.id != run_id or series_tag(run.series) != tag:
            self._discard(run_id, "the index of another run")
            return None
        return run

    def _frame(self, run: Run, minute: int, header: bytes, data: bytes) -> StoredFrame:
        name = f"{run.id}: {minute} minutes"
        frame = frame_of(header, data, name, "frame", self._damage, lambda frame: frame.header.grid == run.grid)
        if frame is None:
            self._discard(run.id, f"its frame of {minute} minutes cannot be read")
            raise expired(run.id)
        return frame

    def _discard(self, run_id: str, why: str) -> None:
        """Delete a damaged run; its id stays in the index, so that later requests are answered with RunExpired."""
        self._damage.drop("run", run_id, why)
        with store_errors():
            self._redis.delete(_place(run_id))
        self._sizes.forget([run_id])

    def _healed(self, tag: str, work: Callable[[], T], *run_ids: str) -> T:
        types = {_key(tag, "runs"): "zset", _key(tag, "expired"): "zset"}
        types |= {_key(tag, name): "string" for name in ("latest", "lock")}
        types |= {_key(tag, f"run:{run_id}"): "hash" for run_id in run_ids}
        return healed(self._redis, self._damage, types, work)

    def _make_room(self, whole: WholeRun) -> None:
        """Count a run, after others have gone for it; each series is a change of its own."""
        gone = self._sizes.to_let_go(whole.run.id, whole.size)
        for tag in {tag_of(run_id) or "" for run_id in gone}:
            with self._redis.pipeline(transaction=True) as publish:
                self._let_go(publish, tag, [run_id for run_id in gone if tag_of(run_id) == tag])
                publish.execute()
        self._sizes.forget(gone)

    def _let_go(self, publish: Any, tag: str, run_ids: Sequence[str]) -> None:  # noqa: ANN401 - redis has no type
        for run_id in run_ids:
            publish.delete(_key(tag, f"run:{run_id}"))
            publish.zrem(_key(tag, "runs"), run_id)
            publish.zadd(_key(tag, "expired"), {run_id: time.time()})
        publish.zremrangebyrank(_key(tag, "expired"), 0, -MOST_EXPIRED - 1)
        publish.expire(_key(tag, "expired"), _IDLE)


def _key(tag: str, what: str) -> str:
    return f"raincell:{{{tag}}}:{what}"


def _place(run_id: str) -> str:
    return _key(tag_of(run_id) or "", f"run:{run_id}")
