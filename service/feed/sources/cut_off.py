"""An end to answers that take too long as a whole, their head included: httpx limits each piece of one only."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")


class CutOff:
    """Closes the connection of a client that makes one request at a time.

    Parameters
    ----------
    seconds : float
        For one answer, from the first byte of its request to the last of its body.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._over = threading.Event()

    @property
    def over(self) -> bool:
        """Whether the last answer, or the one that is awaited, was cut off."""
        return self._over.is_set()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """The request's extension `trace`: notes the connection, which later requests may reuse."""
        if event in _CONNECTED:
            self._socket = info["return_value"].get_extra_info("socket")
            if self.over:
                self._shut()

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        """While this lasts, the answer is awaited."""
        self._over.clear()
        timer = threading.Timer(self._seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self) -> None:
        self._over.set()
        self._shut()

    def _shut(self) -> None:
        # Not close, which does not wake a reader that waits for a byte.
        with contextlib.suppress(OSError):
            if self._socket:
                self._socket.shutdown(socket.SHUT_RDWR)
