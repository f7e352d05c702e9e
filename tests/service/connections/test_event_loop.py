"""How long one request keeps all others waiting, and how much memory it takes, measured inside the real server."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import zstandard

from tests.peak_memory import peak_bytes
from tests.service.conftest import free_port, npy, wait_until

MOST_MILLISECONDS = 50
MOST_MEGABYTES = 1000
"""Of a server with the tiny model."""
TRIES = 4
"""The least of them counts: other programs of this machine keep a server waiting, too."""
METERED = """
import asyncio, signal, sys, time, uvicorn
serving, longest = uvicorn.Server.main_loop, [0.0]
def tell():
    open(sys.argv[1], "w").write(str(longest[0]))
    longest[0] = 0.0
async def ticking():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.002)
        longest[0] = max(longest[0], time.perf_counter() - began - 0.002)
async def main_loop(self):
    self.ticking = asyncio.create_task(ticking())
    await serving(self)
uvicorn.Server.main_loop = main_loop
from service.__main__ import main
sys.exit(main(["run", "--port", sys.argv[2]]))
"""
"""The service, which tells on SIGUSR1 for how long its event loop did nothing else since the last time."""


class Metered:
    """The server."""

    def __init__(self, repository: Path, folder: Path) -> None:
        self.port, self.told = free_port(), folder / "told"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAINCELL_")}
        settings = {"RAINCELL_MODEL_REPOSITORY": str(repository), "RAINCELL_RUNS": "0"}
        command = [sys.executable, "-c", METERED, str(self.told), str(self.port)]
        self.process = subprocess.Popen(command, env=kept | settings, stdout=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz").status_code == 200
        return False

    def longest_milliseconds(self) -> float:
        """Since it was asked before."""
        self.told.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: self.told.exists() and bool(self.told.read_text()), "the meter")
        return 1000 * float(self.told.read_text())

    def send(self, data: bytes) -> bytes:
        """The first bytes of the answer to a request, of which all is sent that is taken."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
            got = b""
            with contextlib.suppress(OSError):
                while piece := connection.recv(65536):
                    got = got or piece
            return got


@pytest.fixture(scope="module")
def server(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metered]:
    metered = Metered(repository, tmp_path_factory.mktemp("meter"))
    try:
        wait_until(metered.ready, "the service")
        yield metered
        assert peak_bytes(metered.process.pid) / 1e6 < MOST_MEGABYTES
    finally:
        metered.process.terminate()
        metered.process.wait(30)


def keys(count: int) -> bytes:
    return b",".join(b'"%x":1' % number for number in range(count))


def post(path: str, media_type: str, body: bytes, more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {media_type}\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def as_base64() -> bytes:
    frames = np.zeros((5, 1500, 1500), np.float32)
    about = {"shape": frames.shape, "data": base64.b64encode(frames.tobytes()).decode()}
    return json.dumps({"product": "RY", "frames": about}).encode()


def as_lists() -> bytes:
    return (
        b'{"product":"RY","frames":['
        + b",".join([b"[" + b",".join([b"[" + b"0.1," * 399 + b"0]"] * 400) + b"]"] * 5)
        + b"]}"
    )


def form(body: bytes) -> bytes:
    part = b'--b\r\nContent-Disposition: form-data; name="frames"; filename="f"\r\n\r\n'
    return part + body + b"\r\n--b--\r\n"


JSON, NPY, FORM = "application/json", "application/x-npy", "multipart/form-data; boundary=b"
PLACES = b"[" + b'{"lat":50,"lon":10},' * 3_000_000 + b"{}]"
BAD_KEYS = b"[" + b",".join([b"{" + keys(4500) + b"}"] * 1000) + b"]"
ZSTD = "Content-Encoding: zstd\r\n"
GET = b"GET /nowcast HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
REQUESTS = {
    "6.7 kB of bad keys": lambda: post("/nowcast/points", JSON, zstandard.compress(BAD_KEYS), ZSTD),
    "bad keys": lambda: post("/nowcast/points", JSON, BAD_KEYS),
    "places": lambda: post("/nowcast/points", JSON, zstandard.compress(PLACES), ZSTD),
    "keys": lambda: post("/predict", JSON, b"{" + keys(1_000_000) + b"}"),
    "base64": lambda: post("/predict?lead_minutes=5", JSON, as_base64()),
    "lists": lambda: post("/predict?lead_minutes=5&encoding=list", JSON, as_lists()),
    "npy": lambda: post("/predict?lead_minutes=60", NPY, npy(np.zeros((5, 1200, 1200), np.float32))),
    "a form of line ends": lambda: post("/predict", FORM, form(b"\r\n" * 10_000_000)),
    "a form of near boundaries": lambda: post("/predict", FORM, form(b"\r\n--" * 5_000_000)),
    "a query of names": lambda: GET.replace(b"cast", b"cast?" + b"a&" * 6000, 1) + b"\r\n",
    "headers": lambda: GET + b"a:\r\n" * 3500 + b"\r\n",
    "a head of 200 kB": lambda: GET + b"a:\r\n" * 50_000 + b"\r\n",
    "media types": lambda: GET + b"Accept: " + b"a/b;q=1," * 1800 + b"\r\n\r\n",
    "chunks of one byte": lambda: (
        post("/predict", NPY, b"", "Transfer-Encoding: chunked\r\n").replace(b"Content-Length: 0\r\n", b"")
        + b"1\r\nA\r\n" * 300_000
    ),
    "many requests at once": lambda: b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 1000 + GET + b"\r\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REQUESTS)
def test_no_request_keeps_the_others_waiting(server: Metered, name: str) -> None:
    request, took = REQUESTS[name](), list[float]()
    for _ in range(TRIES):
        server.longest_milliseconds()
        began = time.monotonic()
        assert server.send(request).startswith(b"HTTP/1.1 ")
        seconds, longest = time.monotonic() - began, server.longest_milliseconds()
        time.sleep(min(seconds, 2.0))
        took.append(max(0.0, longest - server.longest_milliseconds()))  # what a busy machine does without any request
        if took[-1] < MOST_MILLISECONDS:
            break
    print(f"{name}: {min(took):.0f} ms, peak {peak_bytes(server.process.pid) / 1e6:.0f} MB")  # noqa: T201 - for the docs
    assert min(took) < MOST_MILLISECONDS
