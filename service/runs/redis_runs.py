"""Runs in Redis, shared by all replicas.

Keys, hash-tagged with product and grid as they stand in the ids of runs:

    raincell:{product.grid}:runs         sorted set: run ids by reference time, seconds since 1970
    raincell:{product.grid}:run:<id>     hash: run (JSON), covered, and for each minute m header:m (JSON) and data:m
    raincell:{product.grid}:latest       id of the latest run
    raincell:{product.grid}:expired      sorted set: ids of runs that went, by when
    raincell:{product.grid}:lock         token of the replica that makes a run, with expiry
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from radar.errors import StoreUnavailable
from service.codec import Series, StoredFrame, read_header
from service.redis_client import connect, store_errors
from service.runs.run import Run, WholeRun, series_tag, tag_of
from service.runs.store import MOST_EXPIRED, MOST_RUNS, expired, newest_first, outdated, unknown

_IDLE = timedelta(days=7)
"""Runs of series that get no more go after this, and so do the ids of those that went before."""

# One step on the server each: between asking who holds the lock and acting on it nobody may come in between.
_LOCK = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1"
_POINT = """
if ARGV[2] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[3])
return 1
"""


class RedisRuns:
    """See RunStore."""

    def __init__(self, url: str, retention: timedelta, most: int = MOST_RUNS) -> None:
        self._redis = connect(url)
        self._retention = retention
        self._most = most

    def put(self, whole: WholeRun) -> None:
        """See RunStore."""
        run, tag = whole.run, series_tag(whole.run.series)
        fields: dict[str, str | bytes] = {"run": run.model_dump_json(), "covered": whole.covered}
        for minutes, frame in whole.frames.items():
            fields[f"header:{minutes}"] = frame.header.model_dump_json()
            fields[f"data:{minutes}"] = frame.data
        with store_errors():
            if self._redis.exists(_key(tag, f"run:{run.id}")):
                return
            others = [other for other in self.runs(run.series) if other.id != run.id]
            gone = outdated(run, newest_first([run, *others]), self._retention, self._most)
            with self._redis.pipeline(transaction=True) as publish:
                publish.hset(_key(tag, f"run:{run.id}"), mapping=fields)
                publish.expire(_key(tag, f"run:{run.id}"), _IDLE)
                publish.zadd(_key(tag, "runs"), {run.id: round(run.reference_time.timestamp())})
                publish.expire(_key(tag, "runs"), _IDLE)
                self._let_go(publish, tag, gone)
                publish.execute()

    def point(self, series: Series, run_id: str, token: str | None = None) -> bool:
        """See RunStore."""
        tag, idle = series_tag(series), round(_IDLE.total_seconds())
        with store_errors():
            keys = (_key(tag, "lock"), _key(tag, "latest"))
            return bool(self._redis.eval(_POINT, 2, *keys, run_id, token or "", idle))

    def latest(self, series: Series) -> Run | None:
        """See RunStore."""
        tag = series_tag(series)
        with store_errors():
            run_id = self._redis.get(_key(tag, "latest"))
            text = self._redis.hget(_key(tag, f"run:{run_id.decode()}"), "run") if run_id else None
        return _read(text) if text else None

    def get(self, run_id: str) -> Run:
        """See RunStore."""
        return _read(self._fields(run_id, ["run"])[0])

    def frames(self, run_id: str, minutes: Sequence[int]) -> list[StoredFrame]:
        """See RunStore."""
        found = self._fields(run_id, [f"{part}:{minute}" for minute in minutes for part in ("header", "data")])
        return [StoredFrame(read_header(found[k]), found[k + 1]) for k in range(0, len(found), 2)]

    def covered(self, run_id: str) -> bytes:
        """See RunStore."""
        return self._fields(run_id, ["covered"])[0]

    def runs(self, series: Series) -> list[Run]:
        """See RunStore."""
        tag = series_tag(series)
        with store_errors():
            members = self._redis.zrange(_key(tag, "runs"), 0, -1)
            with self._redis.pipeline(transaction=False) as reading:
                for member in members:
                    reading.hget(_key(tag, f"run:{member.decode()}"), "run")
                found = reading.execute()
        return newest_first([_read(text) for text in found if text])  # others were evicted

    def lock(self, series: Series, token: str, seconds: float) -> bool:
        """See RunStore."""
        with store_errors():
            return bool(self._redis.eval(_LOCK, 1, _key(series_tag(series), "lock"), token, round(1000 * seconds)))

    def unlock(self, series: Series, token: str) -> None:
        """See RunStore."""
        with store_errors():
            self._redis.eval(_UNLOCK, 1, _key(series_tag(series), "lock"), token)

    def _fields(self, run_id: str, names: Sequence[str]) -> list[bytes]:
        tag = tag_of(run_id)
        if tag is None:
            raise unknown(run_id)
        with store_errors():
            found = self._redis.hmget(_key(tag, f"run:{run_id}"), names)
            if None not in found:
                return list(found)
            # Evicted ones are still in the index.
            known = [self._redis.zscore(_key(tag, index), run_id) for index in ("expired", "runs")]
        raise unknown(run_id) if known == [None, None] else expired(run_id)

    def _let_go(self, publish: Any, tag: str, run_ids: Sequence[str]) -> None:  # noqa: ANN401 - redis has no type
        for run_id in run_ids:
            publish.delete(_key(tag, f"run:{run_id}"))
            publish.zrem(_key(tag, "runs"), run_id)
            publish.zadd(_key(tag, "expired"), {run_id: time.time()})
        publish.zremrangebyrank(_key(tag, "expired"), 0, -MOST_EXPIRED - 1)
        publish.expire(_key(tag, "expired"), _IDLE)


def _read(text: bytes) -> Run:
    try:
        return Run.model_validate_json(text)
    except ValidationError:
        raise StoreUnavailable(
            expected="a run as this version writes it", got="one of another form", remedy="wait for the next run"
        ) from None


def _key(tag: str, what: str) -> str:
    return f"raincell:{{{tag}}}:{what}"
