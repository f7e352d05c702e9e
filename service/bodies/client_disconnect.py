"""When a caller disconnects, its queued work is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def while_attended(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, which is cancelled as soon as the caller disconnects.

    Use it once the body has been read.

    Raises
    ------
    ClientDisconnect
        The caller has disconnected.
    """
    return await stopped_unattended(request, work, asyncio.Task.cancel)


async def stopped_unattended(
    request: Request, work: Coroutine[Any, Any, T], stop: Callable[[asyncio.Task[T]], object]
) -> T:
    """As `while_attended`, but `stop` ends the work; the work is awaited in any case."""
    # Created first, so that work is stopped before it begins if the caller left while the body was decoded.
    leaving = asyncio.create_task(_left(request))
    working = asyncio.create_task(work)
    try:
        await asyncio.wait({leaving, working}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        leaving.cancel()
        stop(working)
        await asyncio.gather(leaving, working, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
