"""Answers that are sent in slices."""

from __future__ import annotations

import base64

import anyio
import pytest
from starlette.types import Message

from service.answers.large import Base64, LargeResponse


@pytest.mark.parametrize("size", [0, 1, 2, 3, 196_607, 196_608, 196_609, 1_000_000])
def test_base64_made_while_sending_is_the_same(size: int) -> None:
    raw = bytes(range(256)) * (size // 256 + 1)
    part = Base64(memoryview(raw)[:size])
    assert b"".join(part.slices(0, part.nbytes)) == base64.b64encode(raw[:size])
    assert part.nbytes == len(base64.b64encode(raw[:size]))


def test_a_large_answer_comes_whole_and_in_pieces() -> None:
    raw = bytes(range(256)) * 4000
    response = LargeResponse([b"head", Base64(memoryview(raw)), memoryview(raw)], "text/plain", {})
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    anyio.run(response, {"type": "http"}, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    assert body == b"head" + base64.b64encode(raw) + raw
    assert dict(sent[0]["headers"])[b"content-length"] == str(len(body)).encode()
    assert max(len(message.get("body", b"")) for message in sent) <= 256 * 1024


def test_others_have_their_turn_between_slices() -> None:
    response, turns = LargeResponse([memoryview(bytes(5_000_000))], "text/plain", {}), [0]

    async def send(_message: Message) -> None:
        """A reader who is never waited for."""

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def other() -> None:
        while True:
            turns[0] += 1
            await anyio.sleep(0)

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            await response({"type": "http"}, receive, send)
            tasks.cancel_scope.cancel()

    anyio.run(both)
    assert turns[0] >= 5_000_000 // (256 * 1024)
