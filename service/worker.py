"""The one thread that forecasts, and the few who may wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from radar.errors import Overloaded

T = TypeVar("T")


class Worker:
    """Runs one piece of work after the other in its own thread: two at a time would only slow each other down.

    Parameters
    ----------
    size : int
        How many callers may be inside `admitted` at a time, waiting or running. Each holds a decoded request there,
        so this also bounds memory up to the answer, which is sent afterwards.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._inside = 0
        self._stopping = False
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="forecasts", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether work is still being done."""
        return self._thread.is_alive()

    @property
    def size(self) -> int:
        """How many may be inside `admitted` at a time."""
        return self._size

    @property
    def inside(self) -> int:
        """How many are inside `admitted` now."""
        return self._inside

    @property
    def waiting(self) -> int:
        """How many pieces of work have not begun."""
        return self._work.qsize()

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold one of the places, or raise Overloaded at once. To be entered from the event loop only."""
        if self._stopping:
            raise _stopped()
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
        """What `work` returns or raises; a caller who leaves before it has begun takes it with him."""
        future: Future[T] = Future()
        self._work.put((future, work))
        return await asyncio.wrap_future(future)

    def stop(self) -> None:
        """Refuse what waits and what comes; what runs is finished. Only sets a flag: a signal handler may call it."""
        self._stopping = True

    def close(self) -> None:
        """Finish what waits, and end."""
        self._work.put(None)
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while (entry := self._work.get()) is not None:
            future, work = entry
            if not future.set_running_or_notify_cancel():
                continue
            if self._stopping:
                future.set_exception(_stopped())
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # given to the caller, whatever it is
                future.set_exception(error)


def _stopped() -> Overloaded:
    return Overloaded(expected="a running service", got="one that is stopping", remedy="try again in a few seconds")
