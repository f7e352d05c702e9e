"""Callers who take their time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable

import pytest
from starlette.types import Message

from service.connections.time_limits import SLOWEST_BYTES_PER_SECOND, TimeLimits
from service.errors import SlowBody
from tests.service.conftest import ServiceProcess, wait_until

SCOPE = {"type": "http", "method": "POST", "path": "/predict", "headers": []}


def pieces(*waits_and_sizes: tuple[float, int]) -> Callable[[], object]:
    """A receive function whose pieces come after so many seconds, and then the caller stays and says nothing more."""
    left = list(waits_and_sizes)

    async def receive() -> Message:
        if not left:
            await asyncio.sleep(3600)
        wait, size = left.pop(0)
        await asyncio.sleep(wait)
        return {"type": "http.request", "body": bytes(size), "more_body": bool(left)}

    return receive


def read(receive: Callable[[], object], seconds: float, longest_seconds: float = 60.0) -> int:
    """How many bytes an application behind the limits gets."""
    size = 0

    async def app(_scope: object, receive: Callable[[], object], _send: object) -> None:
        nonlocal size
        more = True
        while more:
            message = await receive()  # type: ignore[misc]
            size += len(message["body"])
            more = message["more_body"]

    async def send(_message: Message) -> None:
        pass

    asyncio.run(TimeLimits(app, seconds, longest_seconds)(SCOPE, receive, send))  # type: ignore[arg-type]
    return size


def test_a_body_that_comes_is_read_however_long_it_takes() -> None:
    large = int(0.1 * SLOWEST_BYTES_PER_SECOND)
    assert read(pieces(*[(0.05, large)] * 8), seconds=0.2) == 8 * large


@pytest.mark.parametrize("body", [[(60, 1)], [(0.05, 1)] * 100], ids=["nothing", "drips"])
def test_a_body_that_does_not_come_is_given_up(body: list[tuple[float, int]]) -> None:
    began = time.monotonic()
    with pytest.raises(SlowBody, match="10 kB/s"):
        read(pieces(*body), seconds=0.3)
    assert time.monotonic() - began < 3


def test_a_body_that_moves_on_for_ever_is_given_up() -> None:
    large = int(0.1 * SLOWEST_BYTES_PER_SECOND)
    with pytest.raises(SlowBody, match=r"and 0\.4 in all"):
        read(pieces(*[(0.05, large)] * 60), seconds=0.2, longest_seconds=0.4)


def test_waiting_for_an_answer_is_no_slowness() -> None:
    left = []

    async def app(_scope: object, receive: Callable[[], object], _send: object) -> None:
        assert (await receive())["more_body"] is False  # type: ignore[misc]
        left.append(await receive())  # type: ignore[misc]

    async def receive() -> Message:
        if not left and asked.is_set():
            await asyncio.sleep(0.3)
            return {"type": "http.disconnect"}
        asked.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        pass

    asked = asyncio.Event()
    asyncio.run(TimeLimits(app, 0.1)(SCOPE, receive, send))
    assert left == [{"type": "http.disconnect"}]


def test_the_real_server_gives_up_who_sends_or_reads_nothing(service_process: Callable[..., ServiceProcess]) -> None:
    server = service_process(RAINCELL_CLIENT_SECONDS="2")
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as sender:
        head = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-npy\r\nContent-Length: 5000\r\n\r\n"
        sender.sendall(head.encode() + bytes(100))
        answer = b""
        while b"slow-body" not in answer and (piece := sender.recv(4096)):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in answer
        assert b"slow-body" in answer
    with socket.socket() as reader:
        ask_for_much(reader, server)
        wait_until(lambda: in_flight(server) == 2, "the answers to fill the sockets")
        wait_until(lambda: in_flight(server) == 1, "the server to give up")


def test_the_real_server_ends_an_answer_that_is_read_bit_by_bit(
    service_process: Callable[..., ServiceProcess],
) -> None:
    server = service_process(RAINCELL_TRANSFER_SECONDS="0.5", RAINCELL_RUNS="0")
    got = 0
    with socket.socket() as reader:
        ask_for_much(reader, server)
        with contextlib.suppress(ConnectionResetError):
            while piece := reader.recv(4096):  # a megabyte a second
                got += len(piece)
                time.sleep(0.004)
    assert 0 < got < 8_000_000


def ask_for_much(reader: socket.socket, server: ServiceProcess) -> None:
    """The documentation's scripts are over a megabyte; asked for often enough, they fill what the sockets hold."""
    host, port = server.url.removeprefix("http://").split(":")
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(30)
    reader.connect((host, int(port)))
    reader.sendall(b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n" * 16)


def in_flight(server: ServiceProcess) -> float:
    """How many requests are being answered, this one included."""
    import httpx

    metrics = httpx.get(f"{server.url}/metrics", timeout=30).text
    return float(metrics.split("\nraincell_http_in_flight ")[1].split("\n")[0])
