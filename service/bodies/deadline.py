"""The decoding of one request's body: it ends by a deadline, and when the caller has left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from anyio.to_thread import run_sync
from starlette.requests import Request

from radar.errors import Overloaded
from service.bodies.client_disconnect import stopped_unattended

T = TypeVar("T")


class Decoding:
    """What may still be done for one body.

    Parameters
    ----------
    caller : str
        Who sent it, so that nobody holds all child processes.
    seconds : float
        For the whole body, from now on.
    """

    def __init__(self, caller: str, seconds: float) -> None:
        self.caller = caller
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._stopped = False
        self._interrupt: Callable[[], object] | None = None
        self._lock = threading.Lock()

    @property
    def seconds_left(self) -> float:
        """Until the deadline; 0 after it, and when the caller has left."""
        return 0.0 if self._stopped else max(0.0, self._until - time.monotonic())

    def check(self) -> None:
        """Raise Overloaded when no more is to be done: to be called before every file and frame."""
        if self.seconds_left == 0:
            raise Overloaded(
                expected=f"frames that are decoded within {self._seconds:g} seconds",
                got="a body that takes longer, on a machine that does others' work, too",
                remedy="send fewer frames at a time, or try again",
            )

    def stop(self) -> None:
        """Do no more, and interrupt what is being done."""
        with self._lock:
            self._stopped = True
            if self._interrupt:
                self._interrupt()

    @contextmanager
    def interrupted_by(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """While this lasts, `stop` calls `interrupt`."""
        with self._lock:
            self._interrupt = interrupt
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._interrupt = None


async def decode_attended(request: Request, decoding: Decoding, work: Callable[[], T]) -> T:
    """What `work` returns or raises in a thread; it is stopped as soon as the caller leaves, and waited for.

    Its place is free only when its thread is: a caller who leaves and comes back holds one place, not two.

    Raises
    ------
    ClientDisconnect
        He has left.
    """
    return await stopped_unattended(request, run_sync(work), lambda _: decoding.stop())
