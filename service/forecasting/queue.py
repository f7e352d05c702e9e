"""Pieces of work that wait for the worker, in order, with those of one kind taken together."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class ForecastJob:
    """One caller's work, and the future that he waits for.

    Parameters
    ----------
    work : callable
        Makes the results of a list of items.
    item : object
        This caller's.
    kind : hashable or None
        ForecastQueue of equal kind can be done by one call of the `work` of any of them; None goes with no other.
    """

    work: Callable[[Sequence[Any]], Sequence[Any]]
    item: Any = None
    kind: Hashable | None = None
    future: Future[Any] = field(default_factory=Future)
    _claim: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> bool:
        """Whether it is to be done: nobody has refused it, and its caller has not left."""
        return self._claim.acquire(blocking=False) and self.future.set_running_or_notify_cancel()

    def refuse(self, error: Exception) -> None:
        """Let the caller have an error, unless it has begun."""
        if self._claim.acquire(blocking=False):
            with contextlib.suppress(InvalidStateError):  # he left at the same moment
                self.future.set_exception(error)


class ForecastQueue:
    """A queue for one taker and any number of givers.

    Parameters
    ----------
    most : int
        ForecastQueue that are taken together.
    wait_seconds : float
        How long the first of them waits for others while the queue is empty.
    """

    def __init__(self, most: int = 1, wait_seconds: float = 0.0) -> None:
        self._most = most
        self._wait_seconds = wait_seconds
        self._waiting: deque[ForecastJob] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, job: ForecastJob) -> bool:
        """Let a job wait; False where the queue is closed."""
        with self._changed:
            if self._closed:
                return False
            self._waiting.append(job)
            self._changed.notify()
            return True

    def discard(self, job: ForecastJob) -> None:
        """Forget a job that nobody wants any more, and with it the memory that it holds."""
        with self._changed, contextlib.suppress(ValueError):
            self._waiting.remove(job)

    def close(self) -> list[ForecastJob]:
        """Take no more; the jobs that still wait, which `take` goes on giving."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            return list(self._waiting)

    def take(self) -> list[ForecastJob]:
        """Wait for a job, and take it with others of its kind; nothing when the queue is closed and empty."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if not self._waiting:
                return []
            first = self._waiting.popleft()
            return [first] if first.kind is None or self._most == 1 else [first, *self._companions(first)]

    def _companions(self, first: ForecastJob) -> list[ForecastJob]:
        """Others of its kind, waited for only while nobody else would be kept waiting by that."""
        found: list[ForecastJob] = []
        until = time.monotonic() + self._wait_seconds
        while True:
            found += [job for job in self._waiting if job.kind == first.kind][: self._most - 1 - len(found)]
            for job in found:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(job)
            left = until - time.monotonic()
            if len(found) == self._most - 1 or self._waiting or self._closed or left <= 0:
                return found
            self._changed.wait(left)
