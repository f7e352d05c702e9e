"""The thread that forecasts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from radar.errors import Overloaded
from service.forecasting.worker import ForecastThread


def test_work_is_done_in_one_thread_in_order() -> None:
    worker, seen = ForecastThread(8), []

    async def ask(number: int) -> int:
        return await worker.run(lambda: seen.append((number, threading.get_ident())) or number)  # type: ignore[func-returns-value]

    async def ask_all() -> list[int]:
        return await asyncio.gather(*(ask(number) for number in range(5)))

    assert asyncio.run(ask_all()) == [0, 1, 2, 3, 4]
    assert [number for number, _ in seen] == [0, 1, 2, 3, 4]
    assert len({thread for _, thread in seen}) == 1
    worker.close()
    assert not worker.alive


def test_errors_reach_the_caller_and_the_thread_goes_on() -> None:
    worker = ForecastThread(1)

    async def fail_then_work() -> str:
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 / 0)
        return await worker.run(lambda: "done")

    assert asyncio.run(fail_then_work()) == "done"
    worker.close()


def test_no_more_than_its_size_are_admitted() -> None:
    worker = ForecastThread(2)
    with worker.admitted(), worker.admitted(), pytest.raises(Overloaded, match="at most 2"), worker.admitted():
        pass
    with worker.admitted():
        pass
    worker.close()


def test_a_caller_who_leaves_takes_his_work_along() -> None:
    worker, release, seen = ForecastThread(8), threading.Event(), []

    async def leave() -> None:
        running = asyncio.create_task(worker.run(release.wait))
        waiting = asyncio.create_task(worker.run(lambda: seen.append("done")))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        release.set()
        await running

    asyncio.run(leave())
    worker.close()
    assert seen == []


async def occupied(worker: ForecastThread, release: threading.Event) -> asyncio.Task[str]:
    """A task whose work runs until `release`."""
    started = threading.Event()

    def running() -> str:
        started.set()
        release.wait()
        return "done"

    task = asyncio.create_task(worker.run(running))
    await asyncio.to_thread(started.wait)
    return task


def test_a_worker_that_stops_admits_nobody_and_serves_whom_it_has() -> None:
    worker, release = ForecastThread(8), threading.Event()

    async def stop() -> list[object]:
        running = await occupied(worker, release)
        with worker.admitted():
            waiting = asyncio.create_task(worker.run(lambda: "served"))
            await asyncio.sleep(0)
            worker.stop()
            assert worker.stopping
            with pytest.raises(Overloaded, match="one that is stopping"), worker.admitted():
                pass
        release.set()
        return list(await asyncio.gather(running, waiting, return_exceptions=True))

    assert asyncio.run(stop()) == ["done", "served"]
    worker.close()
    assert not worker.alive


def test_who_waits_too_long_in_a_stopping_worker_is_refused_and_what_runs_is_finished() -> None:
    worker, release = ForecastThread(8), threading.Event()

    async def stop() -> list[object]:
        running = await occupied(worker, release)
        waiting = asyncio.create_task(worker.run(lambda: "never"))
        await asyncio.sleep(0)
        worker.refuse_waiting()
        with pytest.raises(Overloaded, match="one that is stopping"):
            await waiting
        with pytest.raises(Overloaded, match="one that is stopping"):
            await worker.run(lambda: "never")
        release.set()
        return [await running]

    assert asyncio.run(stop()) == ["done"]
    worker.close()


def test_work_that_waits_beyond_its_deadline_is_dropped_and_what_runs_is_not() -> None:
    worker, release, seen = ForecastThread(8, deadline_seconds=0.05), threading.Event(), []

    async def wait() -> str:
        running = await occupied(worker, release)
        with pytest.raises(Overloaded, match=r"begins within 0\.05 seconds"):
            await worker.run(lambda: seen.append("done"))
        assert worker.waiting == 0
        release.set()
        return await running

    assert asyncio.run(wait()) == "done"
    worker.close()
    assert seen == []


def test_work_of_one_kind_is_done_together_and_other_work_alone() -> None:
    worker, release, batches = ForecastThread(16, batch_size=3), threading.Event(), []

    def double(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        return [2 * item for item in items]

    async def ask() -> list[int]:
        running = await occupied(worker, release)
        kinds = ["a", "b", "a", "a", "a", "b"]
        asked = [asyncio.create_task(worker.run_together(kind, n, double)) for n, kind in enumerate(kinds)]
        await asyncio.sleep(0)
        release.set()
        await running
        return [done.value for done in await asyncio.gather(*asked)]

    assert asyncio.run(ask()) == [0, 2, 4, 6, 8, 10]
    assert batches == [[0, 2, 3], [1, 5], [4]]
    worker.close()


def test_a_first_job_waits_a_moment_for_others() -> None:
    worker, batches = ForecastThread(16, batch_size=2, batch_wait_seconds=30), []

    def same(items: Sequence[int]) -> Sequence[int]:
        batches.append(list(items))
        return items

    async def ask() -> None:
        await asyncio.gather(*(worker.run_together("a", n, same) for n in range(2)))

    asyncio.run(ask())
    assert batches == [[0, 1]]
    worker.close()


def test_an_error_in_a_batch_is_its_own_callers_alone() -> None:
    worker, release = ForecastThread(16, batch_size=4), threading.Event()

    def invert(items: Sequence[int]) -> list[float]:
        return [1 / item for item in items]

    async def ask() -> list[object]:
        running = await occupied(worker, release)
        asked = [asyncio.create_task(worker.run_together("a", n, invert)) for n in (1, 0, 2)]
        await asyncio.sleep(0)
        release.set()
        await running
        return [getattr(done, "value", done) for done in await asyncio.gather(*asked, return_exceptions=True)]

    one, error, half = asyncio.run(ask())
    assert (one, half) == (1, 0.5)
    assert isinstance(error, ZeroDivisionError)
    worker.close()


def test_who_leaves_a_batch_takes_only_his_own_work_along() -> None:
    worker, release, batches = ForecastThread(16, batch_size=4), threading.Event(), []

    def same(items: Sequence[int]) -> Sequence[int]:
        batches.append(list(items))
        return items

    async def leave() -> None:
        running = await occupied(worker, release)
        asked = [asyncio.create_task(worker.run_together("a", n, same)) for n in range(3)]
        await asyncio.sleep(0)
        asked[1].cancel()
        await asyncio.gather(asked[1], return_exceptions=True)
        release.set()
        await asyncio.gather(running, asked[0], asked[2])

    asyncio.run(leave())
    assert batches == [[0, 2]]
    worker.close()


def test_it_says_how_full_it_is() -> None:
    worker, started, release = ForecastThread(3), threading.Event(), threading.Event()

    def running() -> None:
        started.set()
        release.wait()

    async def fill() -> tuple[int, int, int]:
        with worker.admitted(), worker.admitted():
            tasks = [asyncio.create_task(worker.run(running))]
            await asyncio.to_thread(started.wait)
            tasks.append(asyncio.create_task(worker.run(lambda: None)))
            await asyncio.sleep(0)
            seen = worker.size, worker.inside, worker.waiting
            release.set()
            await asyncio.gather(*tasks)
        return seen

    assert asyncio.run(fill()) == (3, 2, 1)
    assert (worker.inside, worker.waiting) == (0, 0)
    worker.close()
