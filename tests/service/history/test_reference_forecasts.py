"""One contract for every store of reference forecasts, in memory and on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from radar.errors import InvalidRequest, StoreUnavailable
from radar.files.open import open_sequence
from radar.sequence import FrameSequence, times_after
from service.history.codec import SeriesKey
from service.history.redis.references import RedisReferences
from service.history.reference_forecasts import MemoryReferences, ReferenceForecasts
from service.redis.client import connect
from tests.service.conftest import SMALL, RedisServer, rain

BASE = datetime(2025, 6, 4, 16, 30, tzinfo=UTC)
SERIES = SeriesKey("RV", SMALL.key)


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[ReferenceForecasts]:
    if request.param == "memory":
        yield MemoryReferences()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    yield RedisReferences(connect(server.url))


def forecast(base: datetime = BASE, leads: int = 12, seed: int = 0) -> FrameSequence:
    return FrameSequence(rain(leads, seed=seed), times_after(base, leads, 5), SMALL, 5, "RV", base)


def test_a_forecast_comes_back_whole(store: ReferenceForecasts) -> None:
    store.put(forecast())
    found = store.get(SERIES, BASE)
    assert found is not None
    np.testing.assert_array_equal(found.rain_rate, forecast().rain_rate)
    assert found.valid_times == forecast().valid_times
    assert (found.reference_time, found.product, found.grid) == (BASE, "RV", SMALL)
    assert found.lead_minutes == tuple(range(5, 65, 5))
    assert store.reference_times(SERIES) == [BASE]


def test_what_was_never_kept_is_none(store: ReferenceForecasts) -> None:
    assert store.get(SERIES, BASE) is None
    assert store.reference_times(SERIES) == []


def test_the_same_reference_time_again_replaces_it(store: ReferenceForecasts) -> None:
    store.put(forecast())
    store.put(forecast(leads=3, seed=5))
    found = store.get(SERIES, BASE)
    assert found is not None
    np.testing.assert_array_equal(found.rain_rate, forecast(leads=3, seed=5).rain_rate)


def test_forecasts_are_kept_for_hours_from_the_newest_and_late_ones_beyond_are_not(store: ReferenceForecasts) -> None:
    hours = [BASE + timedelta(hours=hour) for hour in (1, 0, 3, 4)]
    for base in hours:
        store.put(forecast(base, leads=1))
    assert store.reference_times(SERIES) == [hours[0], hours[2], hours[3]]
    store.put(forecast(BASE, leads=1))
    assert store.get(SERIES, BASE) is None
    assert store.reference_times(SERIES) == [hours[0], hours[2], hours[3]]


def test_observations_and_nameless_forecasts_are_refused(store: ReferenceForecasts) -> None:
    with pytest.raises(InvalidRequest, match="observations"):
        store.put(replace(forecast(), reference_time=None))
    with pytest.raises(InvalidRequest, match="without a product"):
        store.put(replace(forecast(), product=""))


def test_a_forecast_of_which_redis_evicted_a_part_is_none(redis_server: RedisServer) -> None:
    client = connect(redis_server.url)
    store = RedisReferences(client)
    store.put(forecast())
    (key,) = client.keys("*run*")
    client.delete(key)
    assert store.get(SERIES, BASE) is None


def test_without_redis_it_says_so(redis_server: RedisServer) -> None:
    store = RedisReferences(connect(redis_server.url))
    redis_server.kill()
    with pytest.raises(StoreUnavailable):
        store.put(forecast())
    with pytest.raises(StoreUnavailable):
        store.get(SERIES, BASE)


def test_dwds_real_run_comes_back_exactly(store: ReferenceForecasts, real_data: Path) -> None:
    run = open_sequence([real_data / "dwd" / "DE1200_RV2210180700.tar.bz2"])
    store.put(run)
    assert run.reference_time is not None
    found = store.get(SeriesKey("RV", run.grid.key), run.reference_time)
    assert found is not None
    assert found.lead_minutes == tuple(range(0, 125, 5))
    np.testing.assert_array_equal(found.rain_rate, run.rain_rate)
