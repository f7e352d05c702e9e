"""How many bytes of runs are kept, and whose go first: in memory and on a real server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from service.damage import Damage
from service.errors import NoRoomForRun, RunExpired
from service.history.codec import SeriesKey
from service.history.store import MemoryHistory
from service.redis.client import connect
from service.runs.redis_store import RedisRuns
from service.runs.run import WholeRun, series_tag
from service.runs.shares.run_shares import Owner, RunShares, owners_in
from service.runs.store import MemoryRuns, RunStore
from service.verification.stores.redis_unserved_forecasts import RedisUnservedForecasts
from service.verification.stores.unserved_forecasts import MemoryUnservedForecasts, UnservedForecasts, bytes_of
from tests.service.conftest import SMALL, RedisServer, sequence
from tests.service.runs_made import END, made_run

STEP = timedelta(minutes=5)
RETENTION = timedelta(hours=6)
SIZE = made_run().size
"""Runs of noise differ in size by some bytes."""
SLACK = 1.05
FEED = Owner("RY", "RY")
KEY = Owner("key:a", "key:a")
MakeStore = Callable[..., RunStore]


@pytest.fixture(params=["memory", "redis"])
def store_of(request: pytest.FixtureRequest) -> MakeStore:
    """Makes stores that keep so many runs."""

    def make(runs: float, owners: Mapping[str, Owner]) -> RunStore:
        owned = {series_tag(SeriesKey(product, SMALL.key)): owner for product, owner in owners.items()}
        shares = RunShares(round(runs * SIZE * SLACK), lambda: owned)
        if request.param == "memory":
            return MemoryRuns(RETENTION, shares=shares)
        server: RedisServer = request.getfixturevalue("redis_server")
        return RedisRuns(connect(server.url), RETENTION, shares=shares)

    return make


def run_of(product: str, step: int) -> WholeRun:
    return made_run(END + step * STEP, seed=step, product=product)


def put(store: RunStore, product: str, steps: range) -> None:
    for step in steps:
        whole = run_of(product, step)
        store.put(whole)
        store.point(whole.run.series, whole.run.id)


def steps_of(store: RunStore, product: str) -> list[int]:
    """Of the runs of a product that are kept, oldest first."""
    runs = store.runs(run_of(product, 0).run.series)
    return sorted(round((run.reference_time - END) / STEP) for run in runs)


def test_one_series_alone_takes_all_and_then_its_oldest_go(store_of: MakeStore) -> None:
    store = store_of(4, {"RY": FEED})
    put(store, "RY", range(6))
    assert steps_of(store, "RY") == [2, 3, 4, 5]
    with pytest.raises(RunExpired):
        store.get(run_of("RY", 0).run.id)
    latest = store.latest(run_of("RY", 5).run.series)
    assert latest is not None
    assert latest.id == run_of("RY", 5).run.id


def test_noise_of_a_caller_drives_out_his_own_and_nothing_of_others(store_of: MakeStore) -> None:
    store = store_of(6, {"RY": FEED, "A": KEY, "B": KEY, "C": KEY})
    put(store, "RY", range(2))
    for product in ("A", "B", "C"):
        put(store, product, range(5))
    assert steps_of(store, "RY") == [0, 1]
    assert steps_of(store, "C")[-1] == 4


def test_who_holds_less_than_his_share_has_room(store_of: MakeStore) -> None:
    store = store_of(4, {"RY": FEED, "A": Owner("anonymous", "1.2.3.4")})
    put(store, "A", range(4))
    put(store, "RY", range(10, 12))
    assert (steps_of(store, "A"), steps_of(store, "RY")) == ([2, 3], [10, 11])


def test_of_callers_without_a_key_the_one_with_most_makes_room(store_of: MakeStore) -> None:
    owners = {
        "A": Owner("anonymous", "1.1.1.1"),
        "B": Owner("anonymous", "1.1.1.1"),
        "C": Owner("anonymous", "2.2.2.2"),
        "RY": FEED,
    }
    store = store_of(5, owners)
    put(store, "C", range(1))
    put(store, "A", range(2))
    put(store, "B", range(2))
    put(store, "RY", range(5, 6))
    assert (steps_of(store, "C"), steps_of(store, "RY")) == ([0], [5])
    assert len(steps_of(store, "A") + steps_of(store, "B")) == 3


def test_a_run_too_many_of_one_caller_is_refused_and_nothing_changes(store_of: MakeStore) -> None:
    store = store_of(2, {"A": KEY, "B": KEY, "C": KEY})
    put(store, "A", range(1))
    put(store, "B", range(1))
    with pytest.raises(NoRoomForRun, match="RAINCELL_RUNS_MB"):
        store.put(run_of("C", 0))
    assert (steps_of(store, "A"), steps_of(store, "B"), steps_of(store, "C")) == ([0], [0], [])
    put(store, "A", range(1, 2))  # the latest run of a series makes room for the next one of it
    assert (steps_of(store, "A"), steps_of(store, "B")) == ([1], [0])


def test_even_the_latest_runs_of_one_who_has_most_make_room_for_others(store_of: MakeStore) -> None:
    store = store_of(3, {"A": KEY, "B": KEY, "C": KEY, "RY": FEED})
    for product in ("A", "B", "C"):
        put(store, product, range(1))
    put(store, "RY", range(1))
    assert steps_of(store, "RY") == [0]
    assert sum(len(steps_of(store, product)) for product in ("A", "B", "C")) == 2


def test_runs_of_withdrawn_series_go_first(store_of: MakeStore) -> None:
    store = store_of(4, {"RY": FEED})
    put(store, "RY", range(2))
    for name in ("GONE", "GONE-TOO"):  # begun, filled and withdrawn, each under another name
        put(store, name, range(8, 9))
    put(store, "RY", range(2, 4))
    assert steps_of(store, "RY") == [0, 1, 2, 3]


def test_what_redis_let_go_itself_does_not_count(redis_server: RedisServer) -> None:
    from redis import Redis

    store = RedisRuns(connect(redis_server.url), RETENTION, shares=RunShares(round(3 * SIZE * SLACK)))
    put(store, "RY", range(3))
    direct = Redis(port=redis_server.port)
    for key in direct.keys("*:run:*")[:2]:
        direct.delete(key)
    left = steps_of(store, "RY")
    put(store, "RY", range(3, 5))
    assert steps_of(store, "RY") == [*left, 3, 4]
    assert len(direct.hgetall("raincell:runs:bytes")) == 3


def test_counts_that_are_damaged_are_dropped_and_named(redis_server: RedisServer) -> None:
    from redis import Redis

    dropped: list[str] = []
    shares = RunShares(round(2 * SIZE * SLACK))
    store = RedisRuns(connect(redis_server.url), RETENTION, damage=Damage(dropped.append), shares=shares)
    direct = Redis(port=redis_server.port)
    direct.hset("raincell:runs:bytes", mapping={"nonsense": 10**12, run_of("RY", 9).run.id: "many", b"\xff": 1})
    put(store, "RY", range(3))
    assert steps_of(store, "RY") == [1, 2]
    assert dropped == ["run"] * 3
    direct.set("raincell:runs:bytes", "of another type")
    put(store, "RY", range(3, 4))
    assert steps_of(store, "RY")[-1] == 3


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_forecasts_beside_runs_are_bounded_so_too(kind: str, request: pytest.FixtureRequest) -> None:
    first, second = run_of("RY", 0), run_of("RY", 1)
    frames = {minutes: frame for minutes, frame in first.frames.items() if minutes > 0}
    shares = RunShares(round(2.5 * bytes_of(frames)), lambda: {series_tag(first.run.series): Owner("RY", "RY")})
    store: UnservedForecasts = MemoryUnservedForecasts(shares=shares)
    if kind == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        store = RedisUnservedForecasts(connect(server.url), shares=shares)
    for run in (first, second):
        store.put(run.run.id, "shadow", frames)
        store.put(run.run.id, "shadow", frames)  # in place of itself
    store.put(second.run.id, "other", frames)
    assert store.at(first.run.id, 5) == {}
    assert sorted(store.at(second.run.id, 5)) == ["other", "shadow"]
    with pytest.raises(NoRoomForRun):
        store.put(second.run.id, "third", frames)
    assert sorted(store.at(second.run.id, 5)) == ["other", "shadow"]


def test_owners_are_who_began_the_stored_series() -> None:
    history = MemoryHistory(RETENTION)
    history.append(sequence(1, product="MINE"), "1.2.3.4")
    history.append(sequence(1, product="KEYED"), "key:me")
    history.append(sequence(1, product="RY"))
    mine, keyed, fed = (series_tag(SeriesKey(product, SMALL.key)) for product in ("MINE", "KEYED", "RY"))
    assert owners_in(history)() == {
        mine: Owner("callers without a key", "1.2.3.4"),
        keyed: Owner("key:me", "key:me"),
        fed: Owner(fed, fed),
    }
