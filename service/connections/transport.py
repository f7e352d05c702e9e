"""The end of a connection, whether or not the caller reads its last bytes or sends more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

LINGER_SECONDS = 2.0
LINGER_BYTES = 80 * 1024 * 1024
"""Bytes of an unwanted body that are read after its answer: with an immediate close the answer would be lost."""


class PatientTransport:
    """A transport whose end is bounded in time; everything but `close` is unchanged.

    Parameters
    ----------
    transport : asyncio.Transport
    unread : callable
        Returns whether the caller is still sending.
    seconds : float
        Time limit for reading the last bytes.
    """

    def __init__(self, transport: Any, unread: Callable[[], bool], seconds: float) -> None:  # noqa: ANN401
        self._transport = transport
        self._unread = unread
        self._seconds = seconds
        self._timers: list[asyncio.TimerHandle] = []
        self._discarded = 0
        self.lingers = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the transport has it
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether the connection is ending."""
        return self.lingers or bool(self._transport.is_closing())

    def close(self) -> None:
        """Send the remaining bytes, and end; bytes that the caller is sending are read and dropped for a moment."""
        if self.is_closing():
            return
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(self._seconds, self._transport.abort))
        if not self._unread():
            self._transport.close()
            return
        self.lingers = True
        self._timers.append(loop.call_later(LINGER_SECONDS, self._transport.close))
        self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def discard(self, size: int) -> None:
        """Note dropped bytes; too many end the connection."""
        self._discarded += size
        if self._discarded > LINGER_BYTES:
            self._transport.abort()

    def lost(self) -> None:
        """Cancel the timers."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
