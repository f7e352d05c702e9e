"""Requests for the latest run that one process answers in a second, beside a bare route with the same bytes.

    python benchmarks/load.py [--connections 16] [--seconds 5] [--rounds 3]

Starts the real server with its demo storm and, in a second process, the bare FastAPI route of benchmarks/bare.py, waits
for the model's run, and asks both in turn, on connections that stay open. Prints the median over the rounds, and the
99th percentile of the time that one request took. Status 1 if a route has less than half the bare route's rate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

LIMIT_TIMES_BARE = 0.5
ROUTES = (
    ("place", "/nowcast/point?lat=52.5&lon=13.4", "application/json"),
    ("index", "/nowcast", "application/json"),
    ("frame as PNG", "/nowcast?lead_minutes=30", "image/png"),
    ("box as npy", "/nowcast?bbox=12,51,15,54", "application/x-npy"),
    ("frame as npy", "{run}/frames/30", "application/x-npy"),
)
_BARE = Path(__file__).with_name("bare.py")


class Rate(NamedTuple):
    """Requests in a second, the 99th percentile of one in milliseconds, and the bytes of one."""

    per_second: float
    milliseconds: float
    size: int


def main() -> int:
    """Print the table; 1 when a route misses the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    slow = 0
    with _server({"RAINCELL_DEMO": "1"}, "-m", "service", "run", "--port") as ours, _server({}, str(_BARE)) as bare:
        run = _wait_for_run(ours)
        print(f"{len(os.sched_getaffinity(0))} cores, {options.connections} connections")
        print("| answer | kB | requests/s | p99 ms | bare requests/s | p99 ms | of bare |\n" + "|" + "---|" * 7)
        for name, path, accept in ROUTES:
            path = path.format(run=run)
            ask(ours, path, accept, options.connections, 1)  # written and kept
            rounds = []
            for _ in range(options.rounds):
                rate = ask(ours, path, accept, options.connections, options.seconds)
                least = ask(bare, f"/bytes?size={rate.size}", "*/*", options.connections, options.seconds)
                rounds.append((rate.per_second, rate.milliseconds, least.per_second, least.milliseconds))
            median = [statistics.median(column) for column in zip(*rounds, strict=True)]
            share = median[0] / median[2]
            slow += share < LIMIT_TIMES_BARE
            numbers = " | ".join(f"{value:.0f}" for value in median)
            print(f"| {name} | {rate.size / 1e3:.0f} | {numbers} | {share:.2f} |", flush=True)
    return int(bool(slow))


def ask(port: int, path: str, accept: str, connections: int, seconds: float) -> Rate:
    """Ask for one thing again and again on several connections."""
    return asyncio.run(_ask(port, path, accept, connections, seconds))


async def _ask(port: int, path: str, accept: str, connections: int, seconds: float) -> Rate:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\n\r\n".encode()
    end = time.perf_counter() + seconds
    took: list[float] = []
    sizes = await asyncio.gather(*(_client(port, request, end, took) for _ in range(connections)))
    return Rate(len(took) / seconds, 1000 * statistics.quantiles(took, n=100)[98], sizes[0])


async def _client(port: int, request: bytes, end: float, took: list[float]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    size = 0
    while (start := time.perf_counter()) < end:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"expected status 200, got {head[:40]!r}; run the service by hand")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(size)
        took.append(time.perf_counter() - start)
    writer.close()
    return size


def _wait_for_run(port: int) -> str:
    """The URL of the model's run."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/nowcast") as answer:
                index = json.load(answer)
                if index["method"] == "model":
                    return str(index["url"])
        except urllib.error.HTTPError:
            pass
        time.sleep(0.5)
    raise SystemExit("expected a run within 300 s, got none; run the service by hand")


@contextmanager
def _server(settings: dict[str, str], *command: str) -> Iterator[int]:
    """The port of a server process, which is its last argument."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [sys.executable, *command, str(port)], env=os.environ | settings, stdout=quiet, stderr=quiet
    ) as process:
        try:
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").close()
                    break
                except OSError:
                    time.sleep(0.2)
                    if process.poll() is not None:
                        raise SystemExit("expected a server, got none; run it by hand") from None
            yield port
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
