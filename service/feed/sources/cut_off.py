"""An end to answers that come too slowly, their head included: httpx limits each piece of one only."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SLOWEST_BYTES_PER_SECOND = 10_000
_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")


@dataclass(frozen=True)
class AnswerTimes:
    """How long a server may keep the feed waiting for one answer.

    Parameters
    ----------
    seconds : float
        Beyond the time that request and answer take at `SLOWEST_BYTES_PER_SECOND`.
    longest_seconds : float
        In all, however fast.
    """

    seconds: float = 20.0
    longest_seconds: float = 120.0

    def expected(self, label: str) -> str:
        """What is expected of an answer."""
        pace = SLOWEST_BYTES_PER_SECOND // 1000
        return f"{label} at {pace} kB/s or faster, {self.seconds:g} seconds later and {self.longest_seconds:g} in all"


ANSWER_TIMES = AnswerTimes()


class CutOff:
    """Closes the connection of a client that makes one request at a time.

    Parameters
    ----------
    times : AnswerTimes
        For one answer, from the first byte of its request to the last of its body.
    """

    def __init__(self, times: AnswerTimes) -> None:
        self._times = times
        self._socket: socket.socket | None = None
        self.over = False
        """Whether the last answer, or the one that is awaited, was cut off."""
        self._timer: threading.Timer | None = None
        self._guard = threading.Lock()
        self._began = 0.0
        self._size = 0

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """The request's extension `trace`: notes the connection, which later requests may reuse."""
        if event in _CONNECTED:
            self._socket = info["return_value"].get_extra_info("socket")
            if self.over:
                self._shut()

    @contextlib.contextmanager
    def armed(self, sent: int = 0) -> Iterator[None]:
        """While this lasts, the answer to a request of so many bytes is awaited."""
        self.over = False
        self._began, self._size = time.monotonic(), sent
        self._look_after(self._left())
        try:
            yield
        finally:
            with self._guard:
                if self._timer:
                    self._timer.cancel()
                self._timer = None

    def end(self) -> None:
        """Cut the awaited answer off now. Takes no lock: a signal handler may call it."""
        self.over = True
        self._shut()

    def count(self, size: int) -> None:
        """Note bytes of the answer's body, which give it more time."""
        self._size += size

    def _left(self) -> float:
        times = self._times
        most = min(times.longest_seconds, times.seconds + self._size / SLOWEST_BYTES_PER_SECOND)
        return self._began + most - time.monotonic()

    def _look_after(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        with self._guard:
            if self._timer is not threading.current_thread():
                return  # it came meanwhile
            if (left := self._left()) > 0:
                self._look_after(left)
                return
        self.end()

    def _shut(self) -> None:
        # Not close, which does not wake a reader that waits for a byte.
        with contextlib.suppress(OSError):
            if self._socket:
                self._socket.shutdown(socket.SHUT_RDWR)
