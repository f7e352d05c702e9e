"""One contract for every store of runs, run in memory and on a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest

from radar.errors import StoreUnavailable
from radar.grid import Grid
from service.errors import RunExpired, UnknownRun
from service.redis.client import connect
from service.runs.redis_store import RedisRuns
from service.runs.store import MemoryRuns, RunStore
from tests.service.conftest import RedisServer, free_port, wait_until
from tests.service.runs_made import END, made_run

RETENTION = timedelta(hours=1)
MOST = 6
STEP = timedelta(minutes=5)


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[RunStore]:
    if request.param == "memory":
        yield MemoryRuns(RETENTION, MOST)
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    yield RedisRuns(connect(server.url), RETENTION, MOST)


def test_a_run_comes_back_as_it_was_put(store: RunStore) -> None:
    whole = made_run()
    store.put(whole)
    assert store.get(whole.run.id) == whole.run
    assert store.covered(whole.run.id) == whole.covered
    minutes = [0, -20, 20]
    frames = store.frames(whole.run.id, minutes)
    assert [frame.header for frame in frames] == [whole.frames[minute].header for minute in minutes]
    assert [frame.data for frame in frames] == [whole.frames[minute].data for minute in minutes]


def test_the_odds_of_a_run_come_back_as_they_were_put(store: RunStore) -> None:
    whole, plain = made_run(thresholds=(0.1, 1.0)), made_run(END + STEP, seed=1)
    for each in (whole, plain):
        store.put(each)
    assert store.get(whole.run.id).thresholds == (0.1, 1.0)
    assert store.odds(whole.run.id, [20, 5]) == [whole.odds[20], whole.odds[5]]
    assert store.get(plain.run.id).thresholds == ()
    assert store.odds(plain.run.id, []) == []
    assert whole.size - made_run().size == sum(map(len, whole.odds.values()))
    with pytest.raises(UnknownRun):
        store.odds(made_run(seed=9).run.id, [5])


def test_an_empty_store_knows_nothing(store: RunStore) -> None:
    run = made_run().run
    assert store.latest(run.series) is None
    assert store.runs(run.series) == []
    for name in (run.id, "nonesuch", "a.b.c", "", "x" * 400, "a\nb", "{x}.{y}", "latest"):
        with pytest.raises(UnknownRun):
            store.get(name)
    with pytest.raises(UnknownRun):
        store.frames(run.id, [5])
    with pytest.raises(UnknownRun):
        store.covered(run.id)


def test_the_latest_is_the_one_pointed_to(store: RunStore) -> None:
    first, second = made_run(), made_run(END + STEP, seed=1)
    for whole in (first, second):
        store.put(whole)
        assert store.point(whole.run.series, whole.run.id)
    assert store.latest(first.run.series) == second.run
    store.point(first.run.series, first.run.id)  # as after the newest frame was withdrawn
    assert store.latest(first.run.series) == first.run


def test_the_same_run_again_changes_nothing(store: RunStore) -> None:
    store.put(made_run())
    store.put(made_run(made_at=END + timedelta(minutes=4)))
    assert [run.made_at for run in store.runs(made_run().run.series)] == [END + timedelta(minutes=2)]


def test_runs_come_newest_first_and_a_correction_before_what_it_corrects(store: RunStore) -> None:
    newest, oldest = made_run(END + STEP, seed=1), made_run(END, seed=2)
    correction = made_run(END, seed=3, made_at=END + timedelta(minutes=3))
    for whole in (oldest, newest, correction):
        store.put(whole)
    assert store.runs(newest.run.series) == [newest.run, correction.run, oldest.run]


def test_series_are_kept_apart(store: RunStore) -> None:
    others = [made_run(product="YW"), made_run(grid=Grid("other", (24, 20), 1.0)), made_run(product="R Y")]
    for whole in (made_run(), *others):
        store.put(whole)
        store.point(whole.run.series, whole.run.id)
    for whole in (made_run(), *others):
        assert store.latest(whole.run.series) == whole.run
        assert store.runs(whole.run.series) == [whole.run]


def test_retention_counts_from_the_newest_run_not_from_now(store: RunStore) -> None:
    old, new = made_run(), made_run(END + RETENTION, seed=1)
    store.put(old)
    assert store.get(old.run.id) == old.run  # of 2017
    store.put(new)
    assert store.runs(new.run.series) == [new.run]
    for read in (store.get, store.covered):
        with pytest.raises(RunExpired, match="expired"):
            read(old.run.id)
    with pytest.raises(RunExpired):
        store.frames(old.run.id, [5])


def test_many_corrections_let_the_oldest_runs_go(store: RunStore) -> None:
    made = [made_run(seed=number, made_at=END + timedelta(seconds=number)) for number in range(MOST + 2)]
    for whole in made:
        store.put(whole)
    assert store.runs(made[0].run.series) == [whole.run for whole in made[:1:-1]]
    with pytest.raises(RunExpired):
        store.get(made[0].run.id)


def test_a_run_from_older_frames_is_kept_when_newer_ones_were_withdrawn(store: RunStore) -> None:
    newer, older = made_run(END + 3 * RETENTION), made_run(END, seed=1)
    for whole in (newer, older):
        store.put(whole)
        store.point(whole.run.series, whole.run.id)
    assert store.latest(older.run.series) == older.run


def test_one_holds_the_lock_at_a_time(store: RunStore) -> None:
    series = made_run().run.series
    assert store.lock(series, "one", 60)
    assert not store.lock(series, "other", 60)
    assert store.lock(series, "one", 60)  # longer
    store.unlock(series, "other")  # not his
    assert not store.lock(series, "other", 60)
    assert store.lock(made_run(product="YW").run.series, "other", 60)
    store.unlock(series, "one")
    assert store.lock(series, "other", 60)


def test_the_lock_of_one_who_died_goes_to_another(store: RunStore) -> None:
    series = made_run().run.series
    assert store.lock(series, "dead", 0.2)
    wait_until(lambda: store.lock(series, "other", 60), "the lock to expire")
    assert not store.lock(series, "dead", 60)


def test_one_who_lost_the_lock_moves_the_latest_run_no_more(store: RunStore) -> None:
    mine, theirs = made_run(), made_run(END + STEP, seed=1)
    series = mine.run.series
    for whole in (mine, theirs):
        store.put(whole)
    assert store.lock(series, "other", 60)
    assert store.point(series, theirs.run.id, "other")
    assert not store.point(series, mine.run.id, "late")
    assert store.latest(series) == theirs.run


def test_of_many_who_want_the_lock_at_a_time_one_gets_it(store: RunStore) -> None:
    got: list[bool] = []
    series = made_run().run.series
    threads = [Thread(target=lambda n=n: got.append(store.lock(series, str(n), 60))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got.count(True) == 1


def test_redis_that_does_not_answer_is_said_within_seconds() -> None:
    store = RedisRuns(connect(f"redis://127.0.0.1:{free_port()}/0"), RETENTION)
    start = time.monotonic()
    run = made_run().run
    calls: list[Any] = [
        lambda: store.put(made_run()),
        lambda: store.latest(run.series),
        lambda: store.get(run.id),
        lambda: store.runs(run.series),
        lambda: store.lock(run.series, "one", 1),
        lambda: store.point(run.series, run.id),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            call()
    assert time.monotonic() - start < 10


def test_a_run_that_redis_evicted_has_expired(redis_server: RedisServer) -> None:
    from redis import Redis

    store = RedisRuns(connect(redis_server.url), RETENTION)
    whole = made_run()
    store.put(whole)
    store.point(whole.run.series, whole.run.id)
    (key,) = Redis(port=redis_server.port).keys("*:run:*")
    Redis(port=redis_server.port).delete(key)
    with pytest.raises(RunExpired):
        store.get(whole.run.id)
    assert store.latest(whole.run.series) is None
    assert store.runs(whole.run.series) == []
