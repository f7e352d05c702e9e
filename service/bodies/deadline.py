"""The decoding of one request's body: it ends at a deadline, or when the caller disconnects."""

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
    """The budget of decoding one body.

    Parameters
    ----------
    caller : str
        The sender, so that no caller holds all child processes.
    seconds : float
        Time for the whole body, from now on.
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
        """Seconds until the deadline; 0 after it, and when the caller has disconnected."""
        return 0.0 if self._stopped else max(0.0, self._until - time.monotonic())

    def check(self) -> None:
        """Raise Overloaded once decoding has to end; call it before every file and frame."""
        if self.seconds_left == 0:
            raise Overloaded(
                expected=f"frames that are decoded within {self._seconds:g} seconds",
                got="a body that takes longer, on a machine that also serves others",
                remedy="send fewer frames at a time, or try again",
            )

    def stop(self) -> None:
        """End decoding, and interrupt the current step."""
        with self._lock:
            self._stopped = True
            if self._interrupt:
                self._interrupt()

    @contextmanager
    def interrupted_by(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """Within this context `stop` calls `interrupt`."""
        with self._lock:
            self._interrupt = interrupt
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._interrupt = None


async def decode_attended(request: Request, decoding: Decoding, work: Callable[[], T]) -> T:
    """Run `work` in a thread; it is stopped as soon as the caller disconnects, and awaited.

    Its place becomes free only with its thread: a caller who disconnects and returns holds one place, not two.

    Raises
    ------
    ClientDisconnect
        The caller has disconnected.
    """
    return await stopped_unattended(request, run_sync(work), lambda _: decoding.stop())
