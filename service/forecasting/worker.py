"""The one thread that forecasts, and the few who may wait for it."""

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
"""Beside those of forecasts: as many requests with frames for the history are always taken."""


class Done(NamedTuple, Generic[T]):
    """A result, and the seconds that the work took which made it (and the others of its batch)."""

    value: T
    seconds: float


class ForecastThread:
    """Runs one piece of work after the other in its own thread: two at a time would only slow each other down.

    Parameters
    ----------
    size : int
        How many callers may be inside `admitted` at a time, waiting or running. Each holds a decoded request there,
        so this also bounds memory up to the answer, which is sent afterwards.
    deadline_seconds : float
        How long work may wait; then its caller gets Overloaded, and it is not begun.
    batch_size, batch_wait_seconds
        How many that wait for the same may be done together, and how long the first of them waits for others.
    on_batch, on_drop : callable
        Told how many pieces of work are done together, and why nobody waits for one any more: "left" or "deadline".
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
        """Whether work is still being done."""
        return self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether nobody is admitted any more."""
        return self._stopping

    @property
    def waiting(self) -> int:
        """How many pieces of work have not begun."""
        return len(self._jobs)

    @property
    def size(self) -> int:
        """How many may be inside `admitted` at a time."""
        return self._size

    @property
    def inside(self) -> int:
        """How many are inside `admitted` now."""
        return self._inside

    @contextlib.contextmanager
    def admitted(self, frames: bool = False) -> Iterator[None]:
        """Hold one of the places, or raise Overloaded at once. To be entered from the event loop only.

        Frames for the history have `PLACES_FOR_FRAMES` of their own first: whoever forecasts cannot keep them out.
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
        """What `work` returns or raises; a caller who leaves before it has begun takes it with him.

        Raises
        ------
        Overloaded
            It waited longer than the deadline, or the service stops.
        """
        return (await self.run_timed(work)).value

    async def run_timed(self, work: Callable[[], T]) -> Done[T]:
        """As `run`, with how long it took."""
        return await self._answer(ForecastJob(lambda _: [work()]))

    async def run_together(self, kind: Hashable, item: T, work: Callable[[Sequence[T]], Sequence[R]]) -> Done[R]:
        """What `work` makes of `item`, in one call with the items of others who wait for the same `kind` of work.

        Where it raises for several, each is done alone, so that nobody gets another's error.
        """
        return await self._answer(ForecastJob(work, item, kind))

    def stop(self) -> None:
        """Admit nobody any more; who is admitted is served. Only sets a flag: a signal handler may call it."""
        self._stopping = True

    def refuse_waiting(self) -> None:
        """Answer all who wait that the service stops; what runs is finished."""
        for job in self._jobs.close():
            job.refuse(stopped())

    def close(self, timeout_seconds: float = 30) -> None:
        """Finish what waits, and end."""
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
            begun.clear()  # what is done holds no memory while the next is waited for


def _work(jobs: Sequence[ForecastJob]) -> None:
    start = time.perf_counter()
    try:
        answered = list(zip(jobs, jobs[0].work([job.item for job in jobs]), strict=True))
    except BaseException as error:  # given to the caller, whatever it is
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
    """The error of a service that stops."""
    return Overloaded(expected="a running service", got="one that is stopping", remedy="try again in a few seconds")
