"""The one thread that forecasts, and a limited number of callers that wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

from radar.errors import Overloaded
from service.forecasting.queue import ForecastJob, ForecastQueue

T = TypeVar("T")
R = TypeVar("R")


PLACES_FOR_FRAMES = 2
"""Places for requests with frames for the history, in addition to those of forecasts."""


class Done(NamedTuple, Generic[T]):
    """A result, and the seconds of the work that made it (and the others of its batch)."""

    value: T
    seconds: float


class ForecastThread:
    """Does one job after the other in its own thread: two at a time would only slow each other down.

    Parameters
    ----------
    size : int
        How many callers may be inside `admitted` at a time, waiting or running. Each holds a decoded request there, so
        this also bounds memory until the answer, which is sent afterwards.
    deadline_seconds : float
        How long a job may wait; then its caller gets Overloaded, and the job is not begun.
    batch_size, batch_wait_seconds
        How many jobs of one kind may be done together, and how long the first of them waits for others.
    on_batch, on_drop : callable
        Called with the number of jobs done together, and with the reason why one was dropped: "left" or "deadline".
    """

    def __init__(
        self,
        size: int,
        *,
        deadline_seconds: float = 60,
        batch_size: int = 1,
        batch_wait_seconds: float = 0.005,
        on_batch: Callable[[int], object] = lambda _: None,
        on_drop: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._size = size
        self._deadline_seconds = deadline_seconds
        self._on_batch, self._on_drop = on_batch, on_drop
        self._inside = 0
        self._taking = 0
        self._stopping = False
        self._jobs = ForecastQueue(batch_size, batch_wait_seconds)
        self._thread = threading.Thread(target=self._run, name="forecasts", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still works."""
        return self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether no more callers are admitted."""
        return self._stopping

    @property
    def waiting(self) -> int:
        """The number of jobs that have not begun."""
        return len(self._jobs)

    @property
    def size(self) -> int:
        """How many callers may be inside `admitted` at a time."""
        return self._size

    @property
    def inside(self) -> int:
        """How many callers are inside `admitted` now."""
        return self._inside

    @contextlib.contextmanager
    def admitted(self, frames: bool = False) -> Iterator[None]:
        """Hold one of the places, or raise Overloaded at once. Enter it from the event loop only.

        Frames for the history have `PLACES_FOR_FRAMES` places of their own, so that forecasts cannot block them.
        """
        if self._stopping:
            raise stopped()
        if frames and self._taking < PLACES_FOR_FRAMES:
            self._taking += 1
            try:
                yield
            finally:
                self._taking -= 1
            return
        if self._inside >= self._size:
            raise Overloaded(
                expected=f"at most {self._size} forecasts at a time",
                got="one more",
                remedy="try again in a few seconds",
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """Do `work` in the thread; it is dropped if the caller leaves before it has begun.

        Raises
        ------
        Overloaded
            The work waited longer than the deadline, or the service stops.
        """
        return (await self.run_timed(work)).value

    async def run_timed(self, work: Callable[[], T]) -> Done[T]:
        """As `run`, with the time that the work took."""
        return await self._answer(ForecastJob(lambda _: [work()]))

    async def run_together(self, kind: Hashable, item: T, work: Callable[[Sequence[T]], Sequence[R]]) -> Done[R]:
        """The result of `work` for `item`, in one call with the waiting items of the same `kind`.

        If the call raises for several, each is done alone, so that no caller gets another's error.
        """
        return await self._answer(ForecastJob(work, item, kind))

    def stop(self) -> None:
        """Admit no more callers; admitted ones are served. It only sets a flag, so a signal handler may call it."""
        self._stopping = True

    def refuse_waiting(self) -> None:
        """Answer all waiting callers that the service stops; the running job is finished."""
        for job in self._jobs.close():
            job.refuse(stopped())

    def close(self, timeout_seconds: float = 30) -> None:
        """Finish the waiting jobs, and end."""
        self._jobs.close()
        self._thread.join(timeout_seconds)

    async def _answer(self, job: ForecastJob) -> Done[Any]:
        late = Overloaded(
            expected=f"a forecast that begins within {self._deadline_seconds:g} seconds",
            got="a queue that took longer",
            remedy="try again when there are fewer callers",
        )
        if not self._jobs.put(job):
            raise stopped()
        timer = asyncio.get_running_loop().call_later(self._deadline_seconds, job.refuse, late)
        try:
            return cast(Done[Any], await asyncio.wrap_future(job.future))
        except asyncio.CancelledError:
            self._on_drop("left")
            raise
        except Overloaded as error:
            if error is late:
                self._on_drop("deadline")
            raise
        finally:
            timer.cancel()
            self._jobs.discard(job)

    def _run(self) -> None:
        while batch := self._jobs.take():
            if begun := [job for job in batch if job.begin()]:
                self._on_batch(len(begun))
                _work(begun)
            batch.clear()
            begun.clear()  # finished jobs hold no memory while the thread waits for the next


def _work(jobs: Sequence[ForecastJob]) -> None:
    start = time.perf_counter()
    try:
        answered = list(zip(jobs, jobs[0].work([job.item for job in jobs]), strict=True))
    except BaseException as error:  # any error goes to the caller
        if len(jobs) == 1:
            jobs[0].future.set_exception(error)
            return
        for job in jobs:
            _work([job])
        return
    seconds = time.perf_counter() - start
    for job, value in answered:
        job.future.set_result(Done(value, seconds))


def stopped() -> Overloaded:
    """The error while the service stops."""
    return Overloaded(expected="a running service", got="one that is stopping", remedy="try again in a few seconds")
