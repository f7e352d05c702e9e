"""Forecasts beside runs: one contract for this process's memory and for Redis."""

from __future__ import annotations

import numpy as np
import pytest

from service.history.codec import decode_one
from service.redis.client import connect
from service.verification.stores.redis_unserved_forecasts import RedisUnservedForecasts
from service.verification.stores.unserved_forecasts import MemoryUnservedForecasts, UnservedForecasts
from tests.service.conftest import RedisServer
from tests.service.runs_made import made_run


@pytest.fixture(params=["memory", "redis"])
def beside(request: pytest.FixtureRequest) -> UnservedForecasts:
    if request.param == "memory":
        return MemoryUnservedForecasts()
    server: RedisServer = request.getfixturevalue("redis_server")
    return RedisUnservedForecasts(connect(server.url))


def test_forecasts_by_run_maker_and_lead(beside: UnservedForecasts) -> None:
    whole, other = made_run(), made_run(seed=1)
    frames = {minutes: whole.frames[minutes] for minutes in whole.run.lead_minutes}
    beside.put(whole.run.id, "still/2", frames)
    beside.put(whole.run.id, "extrapolation", {5: frames[10]})
    found = beside.at(whole.run.id, 5)
    assert sorted(found) == ["extrapolation", "still/2"]
    np.testing.assert_array_equal(decode_one(found["still/2"]), decode_one(frames[5]))
    np.testing.assert_array_equal(decode_one(found["extrapolation"]), decode_one(frames[10]))
    assert list(beside.at(whole.run.id, 10)) == ["still/2"]
    assert beside.at(whole.run.id, 60) == {}
    assert beside.at(other.run.id, 5) == {}


def test_another_of_the_same_maker_replaces_it(beside: UnservedForecasts) -> None:
    whole = made_run()
    beside.put(whole.run.id, "still/2", {5: whole.frames[5], 10: whole.frames[10]})
    beside.put(whole.run.id, "still/2", {5: whole.frames[15]})
    found = beside.at(whole.run.id, 5)["still/2"]
    np.testing.assert_array_equal(decode_one(found), decode_one(whole.frames[15]))
    assert beside.at(whole.run.id, 10) == {}


def test_memory_is_bounded() -> None:
    beside = MemoryUnservedForecasts(most=2)
    runs = [made_run(seed=seed) for seed in range(3)]
    for whole in runs:
        beside.put(whole.run.id, "still/2", {5: whole.frames[5]})
    other = made_run(product="YW")
    beside.put(other.run.id, "still/2", {5: other.frames[5]})  # the bound is each series' own, as that of runs
    assert [bool(beside.at(whole.run.id, 5)) for whole in (*runs, other)] == [False, True, True, True]
