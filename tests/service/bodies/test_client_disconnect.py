"""Work for callers who leave."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from service.bodies.client_disconnect import while_attended


def request_that(*messages: dict[str, Any]) -> tuple[Request, asyncio.Event]:
    """A request that gives these messages, and the disconnection once the event is set."""
    left, given = asyncio.Event(), list(messages)

    async def receive() -> dict[str, Any]:
        if given:
            return given.pop(0)
        await left.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive), left


def test_who_stays_gets_the_result_or_the_error() -> None:
    async def work(number: int) -> float:
        await asyncio.sleep(0)
        return 1 / number

    async def stay() -> float:
        request, _ = request_that({"type": "http.request", "body": b"", "more_body": False})
        with pytest.raises(ZeroDivisionError):
            await while_attended(request, work(0))
        return await while_attended(request, work(4))

    assert asyncio.run(stay()) == 0.25


def test_work_is_cancelled_when_its_caller_leaves() -> None:
    cancelled = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def leave() -> None:
        request, left = request_that()
        attended = asyncio.create_task(while_attended(request, work()))
        await asyncio.sleep(0.01)
        left.set()
        with pytest.raises(ClientDisconnect):
            await attended

    asyncio.run(leave())
    assert cancelled == [True]
