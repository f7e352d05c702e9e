"""A thousand callers who do nothing, a hundred who read nothing and twenty who drip, at once: others are served."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from radar.sequence import iso
from tests.peak_memory import peak_bytes
from tests.service.conftest import free_port, npy, service_program, wait_until

MEGABYTE = 10**6
IDLE, UNREAD, DRIPPING = 1000, 100, 20
CLIENT_SECONDS = 10
DRIP = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-npy\r\nContent-Length: 5000000\r\n\r\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def service(repository: Path, log: Path) -> Iterator[tuple[int, int]]:
    """Its port and process; with a run of 24 frames of 900x900, 78 MB as npy."""
    port = free_port()
    settings = {"RAINCELL_MODEL_REPOSITORY": str(repository), "RAINCELL_CLIENT_SECONDS": str(CLIENT_SECONDS)}
    settings["RAINCELL_CONNECTIONS_PER_ADDRESS"] = "0"  # the crowd comes from everywhere
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAINCELL_")}
    with log.open("wb") as stream:
        process = service_program(["run", "--port", str(port)], kept | settings, stdout=stream, stderr=stream)
    try:
        wait_until(lambda: answers(port, "/readyz"), "the service")
        frames = np.random.default_rng(0).random((5, 900, 900), np.float32)
        about = {"product": "RY", "grid": "radolan", "force": "true", "valid_time": iso(last_frame())}
        headers = {"Content-Type": "application/x-npy"}
        stored = httpx.post(url(port, "/frames"), params=about, content=npy(frames), headers=headers, timeout=60)
        assert stored.status_code == 201
        wait_until(lambda: answers(port, "/nowcast"), "a run")
        yield port, process.pid
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(30)


def last_frame() -> datetime:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return now - timedelta(minutes=now.minute % 5)


def url(port: int, path: str) -> str:
    return f"http://127.0.0.1:{port}{path}"


def answers(port: int, path: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url(port, path), timeout=30).status_code == 200
    return False


def connect(port: int, data: bytes = b"", *, receive_bytes: int | None = None) -> socket.socket:
    connection = socket.socket()
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    connection.sendall(data)
    return connection


def unread(run: str, number: int) -> bytes:
    """A question for nearly all of a run, in a box of its own, so that each answer is another."""
    box = f"{5 + number * 0.02:.2f},47,15.5,54.9"
    head = f"GET /nowcast/{run}?bbox={box} HTTP/1.1\r\nHost: x\r\nAccept: application/x-npy\r\n"
    return f"{head}Accept-Encoding: identity\r\n\r\n".encode()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_others_are_served_beside_a_crowd(service: tuple[int, int], log: Path) -> None:
    port, pid = service
    run = httpx.get(url(port, "/nowcast")).json()["run"]
    with contextlib.ExitStack() as crowd:
        for _ in range(IDLE):
            crowd.enter_context(connect(port))
        drips = [crowd.enter_context(connect(port, DRIP)) for _ in range(DRIPPING)]
        for number in range(UNREAD):
            crowd.enter_context(connect(port, unread(run, number), receive_bytes=4096))
        took, statuses, files, deadline = [], set[int](), 0, time.monotonic() + 15
        with httpx.Client(base_url=url(port, ""), timeout=30) as other:
            while time.monotonic() < deadline:
                for drip in drips:
                    with contextlib.suppress(OSError):
                        drip.send(b"\0")
                began = time.perf_counter()
                assert other.get("/livez").status_code == 200
                took.append(time.perf_counter() - began)
                statuses.add(other.get("/nowcast/point?lat=51&lon=10").status_code)
                files = max(files, len(list(Path(f"/proc/{pid}/fd").iterdir())))
                time.sleep(0.02)
    took.sort()
    middle, late, longest = (1000 * took[int(share * (len(took) - 1))] for share in (0.5, 0.99, 1))
    said = log.read_text()
    print(f"/livez {middle:.0f} ms, {late:.0f} ms in 99 of 100, {longest:.0f} ms at most")  # noqa: T201 - for the documentation
    print(f"peak {peak_bytes(pid) / MEGABYTE:.0f} MB, {files} files, {len(said)} bytes of log")  # noqa: T201
    assert statuses == {200}
    assert late < 100
    assert peak_bytes(pid) < 2000 * MEGABYTE
    assert files < 2048
    assert len(said) < 500 * (IDLE + UNREAD + DRIPPING + 3 * len(took))
    assert "Traceback" not in said
    wait_until(lambda: len(list(Path(f"/proc/{pid}/fd").iterdir())) < 100, "all of them to end")
