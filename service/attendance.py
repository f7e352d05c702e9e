"""Whether callers still wait for their answers: nothing is worked out for those who have left."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
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
    # First, so that work for somebody who left while his body was decoded is cancelled before it has begun.
    leaving = asyncio.create_task(left(request))
    working = asyncio.create_task(work)
    try:
        await asyncio.wait({leaving, working}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(leaving, working, return_exceptions=True)


async def left(request: Request) -> None:
    """Return when the caller has left; to be used once the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
