"""Callers who disconnect: their queued work is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def while_attended(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises; it is cancelled as soon as the caller has left.

    To be used once the body has been read.

    Raises
    ------
    ClientDisconnect
        He has left.
    """
    return await stopped_unattended(request, work, asyncio.Task.cancel)


async def stopped_unattended(
    request: Request, work: Coroutine[Any, Any, T], stop: Callable[[asyncio.Task[T]], object]
) -> T:
    """As `while_attended`, with a way to stop the work of one's own; it is waited for in any case."""
    # First, so that work for somebody who left while his body was decoded is stopped before it has begun.
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
