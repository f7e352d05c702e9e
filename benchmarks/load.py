"""What cached frames and places cost: requests per second and the slowest of a hundred, beside a bare FastAPI route.

    python -m benchmarks.load [--seconds 5] [--rounds 3] [--connections 8]

Starts the real server with its demo storm and, in a second process, a route that answers as many bytes and does nothing
else (benchmarks/bare.py), and asks both in turn over connections that stay open. Prints for each kind of answer the
median over the rounds. Status 1 if one is answered at less than half the bare route's rate.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.predict import BARE, server

LIMIT = 0.5
_PLACE = "/nowcast/point?lat=52.52&lon=13.40"


class Load(NamedTuple):
    """Requests per second, and milliseconds that one in a hundred takes longer than."""

    rate: float
    slowest: float


def main() -> int:
    """Print the table; 1 when an answer is too slow."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    os.environ["RAINCELL_DEMO"] = "1"
    with server("-m", "service", "run", "--port") as ours, server(str(BARE)) as bare:
        run = _first_run(ours)
        frame = f"{run}/frames/30"
        asked = {"frame, npy": (frame, "application/x-npy"), "frame, PNG": (frame, "image/png")}
        asked |= {"place, JSON": (_PLACE, "application/json"), "index, JSON": (run, "application/json")}
        print(f"{len(os.sched_getaffinity(0))} cores, {options.connections} connections, medians of {options.rounds}")
        print(
            "| answer | bytes | per second | p99, ms | bare, per second | p99, ms | ours / bare |\n" + "|---" * 7 + "|"
        )
        too_slow = [
            name for name, (path, accept) in asked.items() if _compare(name, ours, bare, path, accept, options) < LIMIT
        ]
    print("\n".join(f"{name}: less than {LIMIT:g} of the bare route" for name in too_slow) or "all limits hold")
    return int(bool(too_slow))


def _compare(
    name: str,
    ours: http.client.HTTPConnection,
    bare: http.client.HTTPConnection,
    path: str,
    accept: str,
    options: argparse.Namespace,
) -> float:
    """Print one row; gives the ratio of the rates."""
    size = len(_get(ours, path, accept))
    rounds: list[tuple[Load, Load]] = []
    for _ in range(options.rounds):
        both = ((ours, path, accept), (bare, f"/bytes?size={size}", "*/*"))
        loads = [asyncio.run(_load(c.port, p, a, options.connections, options.seconds)) for c, p, a in both]
        rounds.append((loads[0], loads[1]))
    mine, theirs = (_median([pair[side] for pair in rounds]) for side in (0, 1))
    ratio = mine.rate / theirs.rate
    cells = (f"{mine.rate:.0f}", f"{mine.slowest:.1f}", f"{theirs.rate:.0f}", f"{theirs.slowest:.1f}", f"{ratio:.2f}")
    print(f"| {name} | {size} | " + " | ".join(cells) + " |", flush=True)
    return ratio


def _median(loads: Sequence[Load]) -> Load:
    return Load(*(statistics.median(values) for values in zip(*loads, strict=True)))


async def _load(port: int, path: str, accept: str, connections: int, seconds: float) -> Load:
    """Ask again and again over some connections."""
    until = time.perf_counter() + seconds
    asking = [_ask(port, path, accept, until) for _ in range(connections)]
    times = sorted(taken for each in await asyncio.gather(*asking) for taken in each)
    return Load(len(times) / seconds, 1000 * times[int(0.99 * (len(times) - 1))])


async def _ask(port: int, path: str, accept: str, until: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n".encode()
    times = []
    while (began := time.perf_counter()) < until:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        if " 200 " not in head.splitlines()[0]:
            raise SystemExit(f"expected status 200 of {path}, got {head.splitlines()[0]}; run the service by hand")
        await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
        times.append(time.perf_counter() - began)
    writer.close()
    return times


def _first_run(ours: http.client.HTTPConnection) -> str:
    """The address of the demo's run, once the model has made it."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        ours.close()
        ours.request("GET", "/nowcast")
        answer = ours.getresponse()
        content = answer.read()
        if answer.status == 200 and json.loads(content)["method"] == "model":
            return str(json.loads(content)["url"])
        time.sleep(0.5)
    raise SystemExit("expected a run within 120 s, got none; run the service by hand: make serve")


def _get(connection: http.client.HTTPConnection, path: str, accept: str) -> bytes:
    connection.close()
    connection.request("GET", path, headers={"Accept": accept})
    return connection.getresponse().read()


if __name__ == "__main__":
    sys.exit(main())
