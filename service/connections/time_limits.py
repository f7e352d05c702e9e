"""Limits on the time of a body. Limits on the time of reading an answer are in service/connections/connection.py."""

from __future__ import annotations

import asyncio
import math

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import SlowBody

SLOWEST_BYTES_PER_SECOND = 10_000
"""A body has the seconds that are given, and besides as long as it takes at this pace."""


class TimeLimits:
    """ASGI middleware that ends requests whose body does not come.

    Parameters
    ----------
    seconds : float
        For a body, beyond the time that it takes at `SLOWEST_BYTES_PER_SECOND`; then 408.
    longest_seconds : float
        For a body in all; then 408, too.
    """

    def __init__(self, app: ASGIApp, seconds: float, longest_seconds: float = math.inf) -> None:
        self._app = app
        self._seconds = seconds
        self._longest_seconds = longest_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; a caller who only waits for his answer may do so for as long as he likes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(scope, _Timed(receive, self._seconds, self._longest_seconds), send)


class _Timed:
    """A receive function that waits for a body only so long."""

    def __init__(self, receive: Receive, seconds: float, longest_seconds: float) -> None:
        self._receive = receive
        self._seconds = seconds
        self._longest_seconds = longest_seconds
        self._whole = False
        self._size = 0
        self._began: float | None = None

    async def __call__(self) -> Message:
        """The next piece; raises SlowBody."""
        if self._whole:
            return await self._receive()
        now = asyncio.get_running_loop().time()
        self._began = now if self._began is None else self._began
        seconds = min(self._longest_seconds, self._seconds + self._size / SLOWEST_BYTES_PER_SECOND)
        try:
            async with asyncio.timeout_at(self._began + seconds):
                message = await self._receive()
        except TimeoutError:
            raise self._too_slow() from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message

    def _too_slow(self) -> SlowBody:
        pace = SLOWEST_BYTES_PER_SECOND // 1000
        in_all = f", and {self._longest_seconds:g} in all" if math.isfinite(self._longest_seconds) else ""
        return SlowBody(
            expected=f"a body at {pace} kB/s or faster, {self._seconds:g} seconds later at most{in_all}",
            got=f"{self._size} bytes",
            remedy="send it again over a faster connection, or compressed",
        )
