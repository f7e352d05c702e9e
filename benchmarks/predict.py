"""Where the time of one POST /predict goes: five 900x900 RADOLAN files in, twelve frames out.

    python benchmarks/predict.py [--repeat 5]

Starts the real server on this machine, posts synthetic frames, and prints for each media type the median over the
repeats: the whole request, the forecaster (motion field, advection and ONNX Runtime), and what is outside it, of
which the server names decoding and encoding (its Server-Timing header).
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx

from radar.frame import frames_of
from radar.grid import KNOWN_GRIDS
from radar.radolan import write_radolan
from radar.synthetic import storm_sequence

MEDIA_TYPES = ("application/x-npy", "application/netcdf", "application/json", "image/png", "image/tiff")
LIMIT_SECONDS = 12.0
LIMIT_OUTSIDE_MILLISECONDS = 200.0


def main() -> int:
    """Print the table; 1 when a media type with numbers misses the limits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    files = [("frames", (f"{number}.bin", data)) for number, data in enumerate(_radolan_files())]
    print(f"{len(os.sched_getaffinity(0))} cores; median of {repeat}; milliseconds")
    print(f"{'Accept':20} {'MB out':>7} {'whole':>8} {'forecaster':>10} {'outside':>8} {'decode':>7} {'encode':>7}")
    late = False
    with _server() as url, httpx.Client(base_url=url, timeout=120) as client:
        for media_type in MEDIA_TYPES:
            rows = [_measure(client, files, media_type) for _ in range(repeat)]
            row = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
            outside = row["whole"] - row["forecast"]
            late |= row["whole"] > 1000 * LIMIT_SECONDS
            late |= outside > LIMIT_OUTSIDE_MILLISECONDS and not media_type.startswith("image/")
            print(
                f"{media_type:20} {row['megabytes']:7.1f} {row['whole']:8.0f} {row['forecast']:10.0f} {outside:8.0f}"
                f" {row['decode']:7.0f} {row['encode']:7.0f}"
            )
    return int(late)


def _radolan_files() -> list[bytes]:
    storm = storm_sequence(
        KNOWN_GRIDS["radolan"], 5, seed=1, end_time=datetime(2026, 6, 1, 12, tzinfo=UTC), product="RY"
    )
    return [write_radolan(frame) for frame in frames_of(storm)]


def _measure(client: httpx.Client, files: list[tuple[str, tuple[str, bytes]]], media_type: str) -> dict[str, float]:
    start = time.perf_counter()
    answer = client.post("/predict", files=files, headers={"Accept": media_type})
    whole = 1000 * (time.perf_counter() - start)
    answer.raise_for_status()
    parts = dict(part.strip().split(";dur=") for part in answer.headers["Server-Timing"].split(","))
    return {"whole": whole, "megabytes": len(answer.content) / 1e6} | {key: float(ms) for key, ms in parts.items()}


@contextmanager
def _server() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "service", "run", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/readyz", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.ConnectError:
            time.sleep(0.1)
    raise SystemExit("expected a ready server within 60 s, got none; run it by hand: python -m service run")


if __name__ == "__main__":
    sys.exit(main())
