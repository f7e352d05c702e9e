"""A value in Redis that does not fit is left out, counted and named once; all else goes on, and withdrawing works."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import zstandard
from redis import Redis

from service.damage import Damage
from service.errors import RunExpired, UnknownRun
from service.history.codec import SeriesKey
from service.history.history import History
from service.history.redis.quarantine import RedisQuarantine
from service.history.redis.references import RedisReferences
from service.history.redis.store import RedisHistory
from service.history.store import MemoryHistory
from service.redis.client import connect
from service.runs.odds.codec import pack
from service.runs.redis_store import RedisRuns
from service.verification.stores.redis_unserved_forecasts import RedisUnservedForecasts
from tests.service.conftest import SMALL, RedisServer, sequence
from tests.service.runs_made import made_run

END = datetime(2017, 8, 16, 1, 15, tzinfo=UTC)
RETENTION = timedelta(hours=1)
BAD, GOOD = SeriesKey("BAD", SMALL.key), SeriesKey("GOOD", SMALL.key)
TIMES, WITHDRAWN = f"raincell:{{BAD|{SMALL.key}}}:times", f"raincell:{{BAD|{SMALL.key}}}:withdrawn"
NEWEST = f"raincell:{{BAD|{SMALL.key}}}:frame:{round(END.timestamp())}"

Spoil = Callable[[Any], object]


def header_with(**changes: object) -> Spoil:
    def spoil(redis: Any) -> None:
        redis.hset(NEWEST, "header", json.dumps(json.loads(redis.hget(NEWEST, "header")) | changes))

    return spoil


def of_other_type(key: str) -> Spoil:
    def spoil(redis: Any) -> None:
        wrong = redis.type(key) == b"string"
        redis.delete(key)
        redis.lpush(key, "x") if wrong else redis.set(key, "x")

    return spoil


FRAMES: dict[str, Spoil] = {
    "another type": of_other_type(NEWEST),
    "no JSON": lambda redis: redis.hset(NEWEST, "header", "{"),
    "deep JSON": lambda redis: redis.hset(NEWEST, "header", "[" * 1_000_000),
    "another codec": header_with(codec=2),
    "endless step": header_with(timestep_minutes=10**18),
    "scale of nothing": header_with(scale=5e-324),
    "scale beyond floats": lambda redis: redis.hset(NEWEST, "header", b'{"scale": 1e999}'),
    "no zone": header_with(valid_time="2017-08-16T01:15:00"),
    "another time": header_with(valid_time="2017-08-16T01:20:00Z"),
    "another product": header_with(product="GOOD"),
    "another grid": header_with(grid={"name": "other", "shape": [24, 20], "pixel_size_km": 1.0}),
    "vast grid": header_with(grid={"name": "other", "shape": [10**9, 10**9], "pixel_size_km": 1.0}),
    "data garbage": lambda redis: redis.hset(NEWEST, "data", b"\x00garbage"),
    "data of another size": lambda redis: redis.hset(NEWEST, "data", zstandard.compress(bytes(100))),
}
OTHERS: dict[str, Spoil] = {
    "times of another type": of_other_type(TIMES),
    "times garbage": lambda redis: redis.zadd(TIMES, {"garbage": 9e9, "1.5": 9e9, "9" * 30: 9e30, "\u0663": 3, "7": 8}),
    "series garbage": lambda redis: redis.sadd("raincell:series", "nobar", "|", "\n|\n", b"\xff\xfe|x"),
    "series of another type": of_other_type("raincell:series"),
    "withdrawn garbage": lambda redis: redis.hset(WITHDRAWN, mapping={"x": "y", "1": "nan", "2": ""}),
    "withdrawn of another type": of_other_type(WITHDRAWN),
    "epoch of another type": of_other_type("raincell:epoch"),
    "count garbage": lambda redis: redis.set("raincell:withdrawals", "x"),
    "count at its end": lambda redis: redis.set("raincell:withdrawals", str(2**63 - 1)),
    "marks garbage": lambda redis: redis.zadd("raincell:fed", {"nobar": 1, "a|b": "inf"}),
    "marks of another type": of_other_type("raincell:fed"),
}


@pytest.mark.parametrize("name", [*FRAMES, *OTHERS])
def test_one_bad_value_is_one_bad_value(name: str, redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    redis, counted = Redis(port=redis_server.port), Counter[str]()
    store = RedisHistory(connect(redis_server.url), RETENTION, Damage(lambda kind: counted.update([kind])))
    history = History(store, MemoryHistory(RETENTION))
    for series in (BAD, GOOD):
        history.append(sequence(5, end=END, product=series.product))
    store.mark_fed(GOOD)
    (FRAMES | OTHERS)[name](redis)
    with caplog.at_level(logging.ERROR, "raincell"):
        for _ in range(3):
            assert history.latest(GOOD, 5).degraded is None
            kept = history.newest(BAD, 5).value
            assert history.fed() <= {GOOD}
            assert history.products().degraded is None
        history.append(sequence(1, end=END + timedelta(minutes=5), product="GOOD"))
    if name in FRAMES:
        assert [frame.valid_time for frame in kept] == list(sequence(4, end=END - timedelta(minutes=5)).valid_times)
        assert counted["frame" if name != "another type" else "key"] == 1
    assert history.withdraw("GOOD", END)
    assert history.withdraw("BAD", END) or name in ("times of another type", "series of another type")
    history.append(sequence(5, end=END, product="BAD"))
    np.testing.assert_array_equal(history.latest(BAD, 5).value.rain_rate, sequence(5, end=END).rain_rate)
    assert sum(counted.values()) >= 1
    assert len([record for record in caplog.records if "left out" in record.message]) <= sum(counted.values())
    assert history.answers()


def test_what_a_later_version_says_besides_is_passed_over(redis_server: RedisServer) -> None:
    history = RedisHistory(connect(redis_server.url), RETENTION)
    history.append(sequence(5, end=END, product="BAD"))
    header_with(written_by="9.9")(Redis(port=redis_server.port))
    assert len(history.newest(BAD, 5)) == 5


THRESHOLDS = (0.1, 1.0)
RUN = made_run(thresholds=THRESHOLDS).run
RISING = np.arange(2, dtype=np.uint8)[:, None, None] + np.full((2, *RUN.grid.shape), 80, np.uint8)
PIXELS = RUN.grid.shape[0] * RUN.grid.shape[1]


def odds_of(content: bytes) -> Spoil:
    return lambda redis: redis.hset(RUN_KEY, "odds:5", zstandard.compress(content))


TAG = ".".join(RUN.id.split(".")[:2])
RUN_KEY = f"raincell:{{{TAG}}}:run:{RUN.id}"


def run_with(**changes: object) -> Spoil:
    return lambda redis: redis.hset(RUN_KEY, "run", json.dumps(json.loads(redis.hget(RUN_KEY, "run")) | changes))


RUNS: dict[str, Spoil] = {
    "index garbage": lambda redis: redis.hset(RUN_KEY, "run", "{"),
    "run of another type": of_other_type(RUN_KEY),
    "no lead": run_with(lead_minutes=[]),
    "endless lead": run_with(lead_minutes=[10**12]),
    "a lead twice": run_with(lead_minutes=[5, 5]),
    "no zone": run_with(made_at="2020-01-01T00:00:00"),
    "no step": run_with(timestep_minutes=0),
    "two lines": run_with(degraded="d\r\nX-Evil: 2"),
    "no pixel": run_with(grid={"name": "x", "shape": [0, 0], "pixel_size_km": 1.0}),
    "another id": run_with(id="a.b.20200101T0000Z.m.0123456789ab"),
    "frame garbage": lambda redis: redis.hset(RUN_KEY, "data:5", b"x"),
    "header garbage": lambda redis: redis.hset(RUN_KEY, "header:5", "{}"),
    "frame gone": lambda redis: redis.hdel(RUN_KEY, "data:5"),
    "odds garbage": lambda redis: redis.hset(RUN_KEY, "odds:5", b"x"),
    "odds gone": lambda redis: redis.hdel(RUN_KEY, "odds:5"),
    "odds bomb": odds_of(bytes(10**7)),
    "odds of fewer thresholds": odds_of(bytes(PIXELS)),
    "odds that rise": lambda redis: redis.hset(RUN_KEY, "odds:5", pack(RISING)),
    "thresholds that fall": run_with(thresholds=[1.0, 0.1]),
    "thresholds of nothing": run_with(thresholds=[0.0, 0.1]),
    "another number of thresholds": run_with(thresholds=[0.1, 1.0, 5.0]),
    "mask garbage": lambda redis: redis.hset(RUN_KEY, "covered", b"x"),
    "mask bomb": lambda redis: redis.hset(RUN_KEY, "covered", zstandard.compress(bytes(10**7))),
    "latest nowhere": lambda redis: redis.set(f"raincell:{{{TAG}}}:latest", b"\xff\xfe"),
    "latest of another type": of_other_type(f"raincell:{{{TAG}}}:latest"),
    "runs of another type": of_other_type(f"raincell:{{{TAG}}}:runs"),
    "runs garbage": lambda redis: redis.zadd(f"raincell:{{{TAG}}}:runs", {b"\xff\xfe": 1}),
    "ids of another type": of_other_type(f"raincell:{{{TAG}}}:expired"),
    "lock for ever": lambda redis: redis.set(f"raincell:{{{TAG}}}:lock", "another"),
    "lock of another type": lambda redis: redis.lpush(f"raincell:{{{TAG}}}:lock", "x"),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_damaged_run_goes_and_is_made_again(name: str, redis_server: RedisServer) -> None:
    counted = Counter[str]()
    store = RedisRuns(connect(redis_server.url), RETENTION, damage=Damage(lambda kind: counted.update([kind])))
    whole = made_run(thresholds=THRESHOLDS)
    store.put(whole)
    store.point(RUN.series, RUN.id)
    RUNS[name](Redis(port=redis_server.port))
    gone = False
    parts = (lambda run_id: store.frames(run_id, [5]), lambda run_id: store.odds(run_id, [5]))
    for read in (store.get, store.covered, *parts):
        try:
            read(RUN.id)
        except (RunExpired, UnknownRun):
            gone = True
    pointless = ("latest", "runs", "ids", "lock")
    assert gone is not name.startswith(pointless)
    assert store.latest(RUN.series) in (None, RUN)
    assert store.runs(RUN.series) in ([], [RUN])
    later = made_run(END + timedelta(minutes=5), seed=1)
    assert store.lock(RUN.series, "me", 5)
    for again in (whole, later):
        store.put(again)
    assert store.point(RUN.series, RUN.id, "me")
    assert store.latest(RUN.series) == RUN
    assert len(store.frames(RUN.id, [5, 10])) == len(store.odds(RUN.id, [5, 10])) == 2
    assert counted or name == "lock for ever"


def test_a_lock_that_somebody_holds_is_not_taken(redis_server: RedisServer) -> None:
    store = RedisRuns(connect(redis_server.url), RETENTION)
    assert store.lock(RUN.series, "one", 60)
    assert not store.lock(RUN.series, "two", 1)


def test_damage_elsewhere_is_left_out(redis_server: RedisServer) -> None:
    redis, damage = Redis(port=redis_server.port), Damage()
    redis.hset("raincell:{quarantine}:entries", mapping={"a": "b", "c": "{}"})
    assert RedisQuarantine(redis, damage).entries() == []
    references, series = RedisReferences(redis, damage=damage), SeriesKey("RV", SMALL.key)
    forecast = made_run().frames
    references.keep(series, END, list(forecast.values()))
    redis.zadd(f"raincell:{{reference|RV|{SMALL.key}}}:times", {"x": 1})
    redis.hset(
        f"raincell:{{reference|RV|{SMALL.key}}}:run:{round(END.timestamp())}", mapping={"0:header": "{", "0:data": "x"}
    )
    assert references.reference_times(series) == [END]
    assert references.stored(series, END) == []
    beside = RedisUnservedForecasts(redis, damage=damage)
    beside.put(RUN.id, "sound/1", forecast)
    beside.put(RUN.id, "bad/1", forecast)
    redis.hset(f"raincell:{{{TAG}}}:beside:{RUN.id}:bad/1", "data:5", b"x")
    assert list(beside.at(RUN.id, 5)) == ["sound/1"]


def test_names_are_one_line_and_few(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[str] = []
    damage = Damage(counted.append)
    for _ in range(2):
        damage.drop("frame", "a\nb" + "x" * 10_000, "w")
    assert counted == ["frame"]
    (record,) = caplog.records
    assert "\n" not in record.message
    assert len(record.message) < 400


def test_a_store_full_of_garbage_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[str] = []
    damage = Damage(counted.append)
    for number in range(500):
        damage.drop("quarantine", number, "garbage")
    assert len(counted) == 500
    assert len(caplog.records) == 100
    assert "only counted" in caplog.records[-1].message


def test_thousands_of_series_without_frames_are_taken_from_the_list(redis_server: RedisServer) -> None:
    redis, store = Redis(port=redis_server.port), RedisHistory(connect(redis_server.url), RETENTION)
    store.append(sequence(1, end=END, product="GOOD"))
    redis.sadd("raincell:series", *(f"P{number}|g" for number in range(3000)))
    for _ in range(2):
        assert store.products() == [GOOD]
    assert redis.scard("raincell:series") == 1
