"""Jobs that wait for the worker in order; jobs of one kind are taken together."""

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
    """One caller's work, and the future that the caller awaits.

    Parameters
    ----------
    work : callable
        Makes the results of a list of items.
    item : object
        The caller's item.
    kind : hashable or None
        Jobs of equal kind can be done by one call of the `work` of any of them; None is done alone.
    """

    work: Callable[[Sequence[Any]], Sequence[Any]]
    item: Any = None
    kind: Hashable | None = None
    future: Future[Any] = field(default_factory=Future)
    _claim: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> bool:
        """Whether the job has to be done: it was not refused, and its caller is still waiting."""
        return self._claim.acquire(blocking=False) and self.future.set_running_or_notify_cancel()

    def refuse(self, error: Exception) -> None:
        """Give the caller an error, unless the job has begun."""
        if self._claim.acquire(blocking=False):
            with contextlib.suppress(InvalidStateError):  # the caller left at the same moment
                self.future.set_exception(error)


class ForecastQueue:
    """A queue of jobs with one consumer and any number of producers.

    Parameters
    ----------
    most : int
        The most jobs that are taken together.
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
        """Add a job; returns False if the queue is closed."""
        with self._changed:
            if self._closed:
                return False
            self._waiting.append(job)
            self._changed.notify()
            return True

    def discard(self, job: ForecastJob) -> None:
        """Drop a job that no caller awaits, and free its memory."""
        with self._changed, contextlib.suppress(ValueError):
            self._waiting.remove(job)

    def close(self) -> list[ForecastJob]:
        """Accept no more jobs; returns the waiting ones, which `take` still returns."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            return list(self._waiting)

    def take(self) -> list[ForecastJob]:
        """Wait for a job, and take it with others of its kind; empty once the queue is closed and empty."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if not self._waiting:
                return []
            first = self._waiting.popleft()
            return [first] if first.kind is None or self._most == 1 else [first, *self._companions(first)]

    def _companions(self, first: ForecastJob) -> list[ForecastJob]:
        """Others of its kind; it waits for them only while that delays no other job."""
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
