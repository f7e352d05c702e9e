"""Connections to the real server: when they end, and what costs too much to read."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from service.connections.addresses import Addresses
from service.connections.connection import MOST_HEAD_BYTES
from service.connections.limits import ConnectionLimits
from service.connections.open_files import most_connections
from tests.service.conftest import free_port, service_program, wait_until

CLIENT_SECONDS = 1
MOST_OF_ONE = 100
FORM = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-npy\r\n"
FRAMES = FORM.replace(b"/predict", b"/frames?product=RY")
CHUNKED = FORM + b"Transfer-Encoding: chunked\r\n\r\n"


class Server:
    """A service whose log goes to a file, with little patience."""

    def __init__(self, repository: Path, log: Path) -> None:
        self.port, self.log = free_port(), log
        environment = {
            "RAINCELL_MODEL_REPOSITORY": str(repository),
            "RAINCELL_CLIENT_SECONDS": str(CLIENT_SECONDS),
            "RAINCELL_MAX_BODY_MB": "1",
            "RAINCELL_QUEUE": "2",
            "RAINCELL_RUNS": "0",
            "RAINCELL_CONNECTIONS_PER_ADDRESS": str(MOST_OF_ONE),
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAINCELL_")}
        command = ["run", "--port", str(self.port)]
        with log.open("wb") as stream:
            self.process = service_program(command, kept | environment, stdout=stream, stderr=stream)
        self.url = f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz").status_code == 200
        return False

    def connect(self, data: bytes = b"") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(data)
        return connection


@pytest.fixture(scope="module")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(repository, tmp_path_factory.mktemp("log") / "log")
    try:
        wait_until(started.ready, "the service")
        yield started
        told = started.log.read_text()
        assert "Traceback" not in told, told[told.index("Traceback") - 600 :]  # for nothing that callers did
    finally:
        started.process.terminate()
        started.process.wait(30)


def read_all(connection: socket.socket) -> bytes:
    """All until the end, which a reset is, too."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            got += piece
    return got


def problem(answer: bytes, status: int, text: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert b"connection: close" in head.lower()
    assert text in json.loads(body)["detail"]


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /livez HTTP/1.1\r\nHost:", b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHos"],
    ids=["nothing", "half a head", "half of the next"],
)
def test_a_connection_without_a_request_ends(server: Server, sent: bytes) -> None:
    began = time.monotonic()
    with server.connect(sent) as connection:
        answers = read_all(connection).count(b"HTTP/1.1 200")
    assert answers == sent.count(b"\r\n\r\n")
    assert time.monotonic() - began < CLIENT_SECONDS + 2


def test_a_body_that_goes_on_after_its_answer_ends_the_connection(server: Server) -> None:
    began, sent = time.monotonic(), 0
    with server.connect(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n") as connection:
        problem(read_all(connection), 413, "at most 1 MiB")
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 20:
                sent += connection.send(bytes(65536))
    assert time.monotonic() - began < 10
    assert sent < 200_000_000


@pytest.mark.parametrize("chunk", [b"1\r\nA\r\n", b"1;ext=" + b"x" * 1000 + b"\r\nA\r\n"], ids=["small", "extended"])
def test_chunks_that_cost_more_than_they_bring_are_refused(server: Server, chunk: bytes) -> None:
    with server.connect(CHUNKED) as connection, contextlib.suppress(OSError):
        for _ in range(100):
            connection.sendall(chunk * (60_000 // len(chunk)))
    with server.connect(CHUNKED + chunk * 3000) as connection:
        problem(read_all(connection), 413, "chunks of 256 bytes or more")


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_bytes_count_on_the_wire_although_they_decode_to_nothing(server: Server, coding: str) -> None:
    gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + b"\0\0\0\xff\xff" * 400_000  # empty blocks
    zstd = (b"\x50\x2a\x4d\x18" + (60_000).to_bytes(4, "little") + bytes(60_000)) * 30  # frames that are skipped
    body = gzip if coding == "gzip" else zstd
    head = FORM + f"Content-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with server.connect(head) as connection:
        with contextlib.suppress(OSError):
            for start in range(0, len(body), 50_000):
                piece = body[start : start + 50_000]
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        problem(read_all(connection), 413, "at most 1 MiB")


def test_a_head_is_bounded(server: Server) -> None:
    long = b"GET /livez?" + b"a=1&" * (2 * MOST_HEAD_BYTES // 4) + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect(long) as connection:
        problem(read_all(connection), 400, f"{MOST_HEAD_BYTES} bytes of request line and headers")


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        CHUNKED + b"zz\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n\0GET\r\n\r\n",
    ],
    ids=["no HTTP", "no chunk", "rubbish after a request"],
)
def test_what_is_no_http_is_refused_and_ends(server: Server, data: bytes) -> None:
    with server.connect(data) as connection:
        assert b"invalid-http" in read_all(connection)


def test_pieces_of_a_body_may_be_small(server: Server) -> None:
    body = b'[{"lat": 50, "lon": 10}]'
    head = b"POST /nowcast/points HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    with server.connect(head + b"Content-Length: %d\r\n\r\n" % len(body)) as connection:
        for number in range(len(body)):
            connection.sendall(body[number : number + 1])
        assert read_all(connection).startswith(b"HTTP/1.1 404 ")  # read, and there is no product
    with server.connect(head + b"Transfer-Encoding: chunked\r\n\r\n") as connection:
        for number in range(len(body)):
            connection.sendall(b"1\r\n" + body[number : number + 1] + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 404 ")


def test_a_connection_serves_one_request_after_the_other(server: Server) -> None:
    with httpx.Client(base_url=server.url) as client:
        for _ in range(3):
            assert client.post("/nowcast/points", json=[{"lat": 50, "lon": 10}]).status_code == 404
            assert client.get("/livez").status_code == 200
    asked = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect(asked * 300 + asked.replace(b"Host", b"Connection: close\r\nHost")) as connection:
        assert read_all(connection).count(b"HTTP/1.1 200") == 301


def test_open_files_decide_how_many_connections_there_are() -> None:
    most, at_once = most_connections()
    assert 0 < 2 * at_once < most


def test_an_address_has_so_many_connections_and_others_have_theirs(server: Server) -> None:
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with contextlib.ExitStack() as crowd:
        oldest, *_ = [crowd.enter_context(server.connect()) for _ in range(MOST_OF_ONE)]
        with server.connect(request) as one_more:
            assert read_all(one_more).startswith(b"HTTP/1.1 200")
        assert read_all(oldest) == b"", "the longest idle of the address made room"
        other = socket.create_connection(("127.0.0.1", server.port), timeout=10, source_address=("127.0.0.2", 0))
        with other:
            other.sendall(request)
            assert read_all(other).startswith(b"HTTP/1.1 200")
    wait_until(lambda: httpx.get(f"{server.url}/livez").status_code == 200, "a place")


def test_one_more_than_an_address_may_have_at_work_is_told(server: Server) -> None:
    def answer() -> bytes:
        with contextlib.ExitStack() as crowd:
            head = FRAMES + b"Content-Length: 10000\r\nExpect: 100-continue\r\n\r\n"
            for one in [crowd.enter_context(server.connect(head)) for _ in range(MOST_OF_ONE)]:
                one.recv(100)  # its body is waited for
            with server.connect(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as one_more:
                return read_all(one_more)

    # Those at work end after a second, which a busy machine may take to open them all.
    answers = (answer() for _ in range(10))
    turned_away = next((each for each in answers if b" 429 " in each[:20]), b"")
    problem(turned_away, 429, f"at most {MOST_OF_ONE} connections of one address")


def test_trusted_proxies_have_any_number_and_networks_count_as_one() -> None:
    counted = Addresses(2, ["10.0.0.0/8"])
    assert not any(counted.are_too_many(counted.enter(host)) for host in ["10.1.1.1"] * 9 + ["::ffff:10.1.1.1"] * 9)
    neighbours = [counted.enter(f"2001:db8::{number}") for number in range(3)]
    assert [counted.are_too_many(one) for one in neighbours] == [True] * 3
    counted.leave(neighbours[0])
    assert not counted.are_too_many(neighbours[1])
    assert not any(Addresses(0).are_too_many(Addresses(0).enter("192.0.2.1")) for _ in range(9))


class One:
    """A connection, as far as room is concerned."""

    def __init__(self, stalled_since: float | None = None) -> None:
        self.stalled_since = stalled_since
        self.ended = False

    def end(self) -> None:
        self.ended = True


def test_who_is_idle_makes_room_before_who_does_not_read_and_who_works_never_does() -> None:
    limits = ConnectionLimits(most=3, most_body_bytes=1, seconds=1.0)
    working, unread, longer, idle, new = One(), One(2.0), One(1.0), One(), One()
    limits.idle = dict.fromkeys(cast(Any, [idle, new]))
    limits.make_room([working, idle, new])
    assert not any(one.ended for one in (working, idle, new))
    limits.make_room([working, unread, longer, idle, new])
    assert idle.ended
    del limits.idle[cast(Any, idle)]
    limits.make_room([working, unread, longer, new])
    assert (working.ended, unread.ended, longer.ended, new.ended) == (False, False, True, False)
    limits.make_room([working, One(), One(), new])
    assert new.ended
