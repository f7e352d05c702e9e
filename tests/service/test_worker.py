"""The thread that forecasts."""

from __future__ import annotations

import asyncio
import threading

import pytest

from radar.errors import Overloaded
from service.worker import Worker


def test_work_is_done_in_one_thread_in_order() -> None:
    worker, seen = Worker(8), []

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
    worker = Worker(1)

    async def fail_then_work() -> str:
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 / 0)
        return await worker.run(lambda: "done")

    assert asyncio.run(fail_then_work()) == "done"
    worker.close()


def test_no_more_than_its_size_are_admitted() -> None:
    worker = Worker(2)
    with worker.admitted(), worker.admitted(), pytest.raises(Overloaded, match="at most 2"), worker.admitted():
        pass
    with worker.admitted():
        pass
    worker.close()


def test_a_caller_who_leaves_takes_his_work_along() -> None:
    worker, release, seen = Worker(8), threading.Event(), []

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


def test_a_worker_that_stops_finishes_what_runs_and_refuses_the_rest() -> None:
    worker, started, release = Worker(8), threading.Event(), threading.Event()

    def running() -> str:
        started.set()
        release.wait()
        return "done"

    async def stop() -> list[object]:
        tasks = [asyncio.create_task(worker.run(running))]
        await asyncio.to_thread(started.wait)
        tasks.append(asyncio.create_task(worker.run(lambda: "never")))
        await asyncio.sleep(0)
        worker.stop()
        release.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    finished, refused = asyncio.run(stop())
    assert finished == "done"
    assert isinstance(refused, Overloaded)
    with pytest.raises(Overloaded, match="one that is stopping"), worker.admitted():
        pass
    worker.close()


def test_it_says_how_full_it_is() -> None:
    worker, started, release = Worker(3), threading.Event(), threading.Event()

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
