"""One run per new frame, made once, on whichever replica gets to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from models.onnx_forecaster import load_forecaster
from models.recurrent import RecurrentForecaster
from radar.errors import Overloaded
from radar.grid import Grid
from radar.sequence import FrameSequence, times_after
from service.forecasting.catalogue import Catalogue, load_catalogue
from service.forecasting.worker import ForecastThread
from service.history.codec import SeriesKey, decode_one
from service.history.history import History
from service.history.redis.store import RedisHistory
from service.history.store import MemoryHistory
from service.redis.client import connect
from service.routes.run_answer import until_next_run
from service.runs import runner as runner_module
from service.runs.coverage import unpack
from service.runs.redis_store import RedisRuns
from service.runs.run import Run
from service.runs.runner import Runner
from service.runs.runs import Runs
from service.runs.store import MemoryRuns
from tests.service.conftest import SMALL, RedisServer, rain, sequence, wait_until
from tests.service.runs_made import END

T = TypeVar("T")
RETENTION = timedelta(hours=6)
SERIES = SeriesKey("RY", SMALL.key)
NOW = datetime(2017, 8, 16, 1, 17, tzinfo=UTC)


class CountingWorker(ForecastThread):
    """Counts what it does, and can be slowed down."""

    def __init__(self) -> None:
        super().__init__(8)
        self.done = 0
        self.go = threading.Event()
        self.go.set()

    async def run(self, work: Callable[[], T]) -> T:
        def counted() -> T:
            self.done += 1
            assert self.go.wait(30)
            return work()

        return await super().run(counted)


@dataclass
class Replica:
    """The parts of one service process that have to do with runs."""

    history: History
    runs: Runs
    worker: CountingWorker
    runner: Runner

    def look(self) -> bool:
        return in_loop(self.runner.look())

    def latest(self) -> Run:
        run = self.runs.latest_now(SERIES).value
        assert run is not None
        return run


def in_loop(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture(scope="module")
def catalogue(repository: Path) -> Catalogue:
    return load_catalogue(repository, partial(load_forecaster, provider="cpu"))


@pytest.fixture
def make_replica(catalogue: Catalogue) -> Callable[..., Replica]:
    def make(server: RedisServer | None = None, lock_seconds: float = 30.0, lead_minutes: int = 30) -> Replica:
        if server is None:
            history, runs = History(MemoryHistory(RETENTION)), Runs(MemoryRuns(RETENTION))
        else:
            history = History(RedisHistory(connect(server.url), RETENTION), MemoryHistory(RETENTION))
            runs = Runs(RedisRuns(connect(server.url), RETENTION), MemoryRuns(RETENTION, most=2))
        worker = CountingWorker()
        runner = Runner(history, runs, worker, catalogue, lead_minutes, lambda: NOW, lock_seconds)
        return Replica(history, runs, worker, runner)

    return make


@pytest.fixture
def replica(make_replica: Callable[..., Replica]) -> Replica:
    return make_replica()


def test_new_frames_make_a_run(replica: Replica) -> None:
    replica.history.append(sequence(6, end=END))
    assert replica.look()
    run = replica.latest()
    assert run.id.startswith(f"RY.{SMALL.key}.20170816T0115Z.still-1.")
    assert (run.method, run.degraded, run.model, run.version) == ("model", None, "still", "1")
    assert (run.reference_time, run.made_at) == (END, NOW)
    assert run.history_times == sequence(5, end=END).valid_times
    assert run.observed_minutes == (-25, -20, -15, -10, -5, 0)
    assert run.lead_minutes == (5, 10, 15, 20, 25, 30)
    forecast = [decode_one(frame) for frame in replica.runs.frames(run.id, run.lead_minutes)]
    expected = sequence(6, end=END).rain_rate[-1]  # the model says that it goes on so
    for frame in forecast:
        np.testing.assert_allclose(frame, expected, atol=0.03)
        np.testing.assert_array_equal(np.isnan(frame), np.isnan(expected))


def test_nothing_new_makes_nothing(replica: Replica) -> None:
    assert replica.look()
    assert replica.runs.latest_now(SERIES).value is None
    replica.history.append(sequence(5, end=END))
    assert replica.look()
    before = replica.latest()
    replica.history.append(sequence(5, end=END))
    assert replica.look()
    assert replica.latest() == before
    assert replica.worker.done == 1


def test_a_corrected_a_late_and_the_next_frame_make_runs(replica: Replica) -> None:
    whole = sequence(6, end=END)
    parts = [
        replace(whole, rain_rate=whole.rain_rate[a:b], valid_times=whole.valid_times[a:b]) for a, b in [(0, 3), (4, 6)]
    ]
    ids = []
    for frames in (*parts, whole, sequence(1, end=END, seed=9), sequence(1, end=END + timedelta(minutes=5))):
        replica.history.append(frames)
        replica.look()
        ids.append(replica.latest().id)
    assert len(set(ids)) == 5
    runs = {run.id: run for run in replica.runs.runs(SERIES)}
    assert runs[ids[0]].method == "sprog-cdf"
    assert runs[ids[0]].degraded == "3 of 5 frames: sprog-cdf instead of model still"
    assert runs[ids[1]].method == "model"
    assert "2017-08-16T01:05:00Z is missing and was filled along the motion" in str(runs[ids[1]].degraded)
    assert runs[ids[2]].degraded is None
    assert replica.latest().reference_time == END + timedelta(minutes=5)


def test_a_withdrawn_frame_makes_the_run_before_it_the_latest_again(replica: Replica) -> None:
    replica.history.append(sequence(5, end=END))
    replica.look()
    before = replica.latest()
    replica.history.append(sequence(1, end=END + timedelta(minutes=5)))
    replica.look()
    assert replica.latest() != before
    replica.history.withdraw("RY", END + timedelta(minutes=5))
    replica.look()
    assert replica.latest() == before
    assert replica.worker.done == 2


def test_a_single_frame_persists(replica: Replica) -> None:
    replica.history.append(sequence(1, end=END))
    replica.look()
    assert (replica.latest().method, replica.latest().history_times) == ("persistence", (END,))
    assert replica.latest().degraded == "1 of 5 frames: persistence instead of model still"


def test_a_baseline_forecasts_from_frames_that_the_model_is_not_made_for(replica: Replica) -> None:
    coarse = Grid("coarse", (24, 20), 3.0)
    replica.history.append(sequence(5, end=END, grid=coarse))
    start = END - timedelta(minutes=50)
    tens = FrameSequence(rain(5), times_after(start, 5, 10), SMALL, 10, "T")
    replica.history.append(tens)
    replica.look()
    for series, text, leads in (
        (SeriesKey("RY", coarse.key), "pixels of 1 km", (5, 10, 15, 20, 25, 30)),
        (SeriesKey("T", SMALL.key), "10 minutes apart", (10, 20, 30)),
    ):
        run = replica.runs.latest_now(series).value
        assert run is not None
        assert run.method == "sprog-cdf"
        assert run.degraded is not None
        assert text in run.degraded
        assert run.degraded.endswith("sprog-cdf instead")
        assert run.lead_minutes == leads


def test_a_model_that_fails_is_not_asked_at_once_again(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the session died")

    replica.history.append(sequence(5, end=END))
    replica.history.append(sequence(5, end=END, product="YW"))
    with monkeypatch.context() as patch:
        patch.setattr(RecurrentForecaster, "forecast", fail)
        replica.look()
        done = replica.worker.done
        assert done == 2  # one series does not keep the other
        replica.look()
        assert replica.worker.done == done
    replica.history.append(sequence(5, end=END, seed=3))
    replica.look()
    assert replica.latest().method == "model"


def test_a_worker_that_is_too_busy_is_asked_again(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise Overloaded(expected="a forecast soon", got="a long queue", remedy="wait")

    replica.history.append(sequence(5, end=END))
    with monkeypatch.context() as patch:
        patch.setattr(replica.worker, "run", refuse)
        assert replica.look()
    assert replica.runs.latest_now(SERIES).value is None
    assert replica.look()
    assert replica.latest().method == "model"


def test_where_a_radar_was_once_seen_is_remembered(replica: Replica) -> None:
    first, second = rain(5), rain(5)
    second[:, 10:12] = np.nan
    replica.history.append(FrameSequence(first, sequence(5, end=END).valid_times, SMALL, 5, "RY"))
    replica.look()
    later = END + timedelta(hours=3)
    replica.history.append(FrameSequence(second, sequence(5, end=later).valid_times, SMALL, 5, "RY"))
    replica.look()
    mask = unpack(replica.runs.covered(replica.latest().id), SMALL.shape)
    np.testing.assert_array_equal(mask, np.isfinite(first[0]))


def test_runs_reach_no_further_than_the_model(make_replica: Callable[..., Replica]) -> None:
    replica = make_replica(lead_minutes=1000)
    replica.history.append(sequence(5, end=END))
    replica.look()
    assert replica.latest().lead_minutes[-1] == 120


def test_while_the_first_run_takes_long_a_quick_one_answers_and_says_so(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "INTERIM_SECONDS", 0.01)
    replica.worker.go.clear()

    async def story() -> Run:
        making = asyncio.create_task(replica.runner.look())
        while (quick := replica.runs.latest_now(SERIES).value) is None:
            await asyncio.sleep(0.01)
        replica.worker.go.set()
        await making
        return quick

    replica.history.append(sequence(5, end=END))
    quick = in_loop(story())
    assert (quick.interim, quick.method, quick.model) == (True, "sprog-cdf", "still")
    assert quick.degraded == "the first run of model still is still being made: sprog-cdf instead"
    assert until_next_run(quick, NOW) == 5
    made = replica.latest()
    assert (made.interim, made.method, made.degraded) == (False, "model", None)
    assert made.id != quick.id
    replica.worker.go.clear()

    async def next_one() -> None:
        making = asyncio.create_task(replica.runner.look())
        while replica.worker.done < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)  # longer than before the quick one would begin
        replica.worker.go.set()
        await making

    replica.history.append(sequence(1, end=END + timedelta(minutes=5)))
    in_loop(next_one())
    assert [run.interim for run in replica.runs.runs(SERIES)] == [False, False, True]


# --- replicas --------------------------------------------------------------------------------------------------------


def test_of_two_replicas_one_makes_the_run_and_both_serve_it(
    make_replica: Callable[..., Replica], redis_server: RedisServer
) -> None:
    one, other = make_replica(redis_server), make_replica(redis_server)
    one.history.append(sequence(5, end=END))
    one.worker.go.clear()

    async def both() -> tuple[bool, bool]:
        first = asyncio.create_task(one.runner.look())
        while not one.worker.done:
            await asyncio.sleep(0.01)
        meanwhile = await other.runner.look()
        one.worker.go.set()
        return await first, meanwhile

    assert in_loop(both()) == (True, False)  # the other waits for it
    assert other.look()
    assert (one.worker.done, other.worker.done) == (1, 0)
    assert other.latest() == one.latest()
    redis_server.kill()
    assert other.runs.latest_now(SERIES).value == one.latest()


def test_a_replica_that_died_in_mid_run_is_followed_by_another(
    make_replica: Callable[..., Replica], redis_server: RedisServer
) -> None:
    replica = make_replica(redis_server)
    replica.history.append(sequence(5, end=END))
    assert replica.runs.ask(lambda store: store.lock(SERIES, "dead", 1.0))
    assert not replica.look()
    wait_until(replica.look, "the dead replica's lock to expire")
    assert replica.latest().reference_time == END


def test_a_long_run_keeps_its_lock(make_replica: Callable[..., Replica], redis_server: RedisServer) -> None:
    one, other = make_replica(redis_server, lock_seconds=0.6), make_replica(redis_server)
    one.history.append(sequence(5, end=END))
    one.worker.go.clear()

    async def longer_than_the_lock() -> None:
        making = asyncio.create_task(one.runner.look())
        while not one.worker.done:
            await asyncio.sleep(0.01)
        for _ in range(8):
            await asyncio.sleep(0.2)
            assert not await other.runner.look()
        one.worker.go.set()
        await making

    in_loop(longer_than_the_lock())
    assert other.look()
    assert (one.worker.done, other.worker.done) == (1, 0)


def test_a_run_of_one_who_was_overtaken_does_not_become_the_latest(
    make_replica: Callable[..., Replica], redis_server: RedisServer
) -> None:
    slow, quick = make_replica(redis_server), make_replica(redis_server)
    slow.history.append(sequence(5, end=END))
    slow.worker.go.clear()

    async def overtaken() -> None:
        making = asyncio.create_task(slow.runner.look())
        while not slow.worker.done:
            await asyncio.sleep(0.01)
        from redis import Redis

        (lock,) = Redis(port=redis_server.port).keys("*:lock")
        Redis(port=redis_server.port).delete(lock)  # as if it had stood still for longer than the lock lasts
        quick.history.append(sequence(1, end=END + timedelta(minutes=5)))
        assert await quick.runner.look()
        slow.worker.go.set()
        await making

    in_loop(overtaken())
    assert quick.latest().reference_time == END + timedelta(minutes=5)
    assert len(quick.runs.runs(SERIES)) == 2


def test_without_redis_the_last_run_is_served_labelled_and_nothing_is_computed(
    make_replica: Callable[..., Replica], redis_server: RedisServer
) -> None:
    replica = make_replica(redis_server)
    replica.history.append(sequence(5, end=END))
    replica.look()
    run = replica.latest()
    redis_server.kill()
    assert replica.look()
    reading = replica.runs.latest_now(SERIES)
    assert reading.value == run
    assert reading.degraded == "run store unavailable: the last run that this process remembers"
    assert len(replica.runs.frames(run.id, run.lead_minutes)) == 6
    assert replica.worker.done == 1


def test_a_run_of_another_replica_is_served_without_redis_although_a_newer_one_is_being_made(
    make_replica: Callable[..., Replica], redis_server: RedisServer
) -> None:
    making, waiting = make_replica(redis_server), make_replica(redis_server)
    making.history.append(sequence(5, end=END))
    making.look()
    run = making.latest()
    making.history.append(sequence(1, end=END + timedelta(minutes=5)))
    making.worker.go.clear()

    async def redis_goes_away() -> None:
        newer = asyncio.create_task(making.runner.look())
        while making.worker.done < 2:
            await asyncio.sleep(0.01)
        assert not await waiting.runner.look()
        redis_server.kill()
        making.worker.go.set()
        await newer

    in_loop(redis_goes_away())
    assert waiting.runs.latest_now(SERIES).value == run
    assert len(waiting.runs.frames(run.id, run.lead_minutes)) == 6


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that was away is asked again at once."""
    monkeypatch.setattr("service.breaker.PAUSE_SECONDS", 0.0)


@pytest.mark.usefixtures("no_pauses")
def test_a_redis_that_comes_back_empty_gets_the_run_back(
    make_replica: Callable[..., Replica], redis_server: RedisServer
) -> None:
    replica = make_replica(redis_server)
    replica.history.append(sequence(5, end=END))
    replica.look()
    run = replica.latest()
    redis_server.kill()
    replica.look()
    redis_server.start()

    def back() -> bool:
        replica.look()
        reading = replica.runs.latest_now(SERIES)
        return reading.degraded is None and reading.value is not None

    wait_until(back, "the run to be in Redis again")
    assert replica.latest() == run
    assert replica.worker.done == 1


@pytest.mark.usefixtures("no_pauses")
def test_a_run_that_redis_did_not_take_is_not_made_again(
    make_replica: Callable[..., Replica], redis_server: RedisServer
) -> None:
    replica = make_replica(redis_server)
    replica.history.append(sequence(5, end=END))
    replica.worker.go.clear()

    async def killed_in_mid_run() -> None:
        making = asyncio.create_task(replica.runner.look())
        while not replica.worker.done:
            await asyncio.sleep(0.01)
        redis_server.kill()
        replica.worker.go.set()
        await making

    in_loop(killed_in_mid_run())
    assert replica.runs.latest_now(SERIES).degraded is not None
    assert replica.latest().reference_time == END
    redis_server.start()
    wait_until(lambda: replica.look() and replica.runs.latest_now(SERIES).degraded is None, "the run in Redis")
    assert replica.worker.done == 1


def test_frames_are_read_again_only_where_something_may_have_changed(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica.history.append(sequence(5, end=END))
    for _ in range(2):
        replica.look()
    read: list[int] = []
    newest = replica.history.newest
    monkeypatch.setattr(replica.history, "newest", lambda *asked: read.append(1) or newest(*asked))  # type: ignore[func-returns-value]
    assert in_loop(replica.runner.look(thorough=False))
    assert not read
    replica.history.append(sequence(1, end=END + timedelta(minutes=5)))
    assert in_loop(replica.runner.look(thorough=False))
    assert replica.latest().reference_time == END + timedelta(minutes=5)


def test_it_looks_when_it_is_woken_and_by_itself(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        task = asyncio.create_task(replica.runner.run())
        replica.history.append(sequence(5, end=END))
        replica.runner.wake()
        while replica.worker.done < 1:
            await asyncio.sleep(0.01)
        monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.05)
        replica.runner.wake()
        replica.history.append(sequence(1, end=END + timedelta(minutes=5)))
        while replica.worker.done < 2:
            await asyncio.sleep(0.01)
        task.cancel()

    in_loop(asyncio.wait_for(story(), 60))


def test_it_ends_when_told_to_even_if_it_is_woken_at_the_same_moment(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> bool:
        looked = asyncio.Event()

        async def look(_thorough: bool) -> bool:
            looked.set()
            return True

        monkeypatch.setattr(replica.runner, "look", look)
        running = asyncio.create_task(replica.runner.run())
        await looked.wait()
        for _ in range(5):  # until it waits
            await asyncio.sleep(0)
        replica.runner.wake()
        running.cancel()
        await asyncio.wait({running}, timeout=10)
        return running.cancelled()

    assert in_loop(story())
