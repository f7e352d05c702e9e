"""Simultaneous requests take turns: the event loop serves its connections between them."""

from __future__ import annotations

import asyncio
import time

TURN_SECONDS = 0.005
"""Seconds of one round of the loop for requests; each takes a few milliseconds to begin."""


class Turns:
    """Counts the time of a round of the event loop, from its first request."""

    def __init__(self) -> None:
        self._began: float | None = None

    async def wait(self) -> None:
        """Return once this round has time left, or in a later one."""
        while self._is_over():
            await asyncio.sleep(0)

    def _is_over(self) -> bool:
        now = time.perf_counter()
        if self._began is None:
            self._began = now
            asyncio.get_running_loop().call_soon(self._end)
        return now - self._began > TURN_SECONDS

    def _end(self) -> None:
        self._began = None
