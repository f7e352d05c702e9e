"""The time of one POST /predict by part: five 900x900 RADOLAN files in, twelve frames out.

    python benchmarks/predict.py [--repeat 5]

Starts the real server and, in a second process, a bare FastAPI route that reads the same multipart form and answers as
many bytes (benchmarks/bare.py), and asks both in turn with the same client. Prints for each media type the median over
the repeats, in milliseconds: the whole request, the forecaster (motion field, advection and ONNX Runtime), what is
outside it, of which the server names decoding and encoding (its Server-Timing header), the bare route, and how many
times the bare route's time is spent outside the forecaster. Status 1 if npy or JSON (not NetCDF and images)
miss a limit: 12 s the whole, 200 ms outside the forecaster, twice the bare route.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from radar.files.radolan import write_radolan
from radar.frame import frames_of
from radar.grid import KNOWN_GRIDS
from radar.synthetic import storm_sequence

MEDIA_TYPES = ("application/x-npy", "application/netcdf", "application/json", "image/png", "image/tiff")
_DEFLATED = ("application/netcdf", "image/png", "image/tiff")
LIMIT_SECONDS = 12.0
LIMIT_OUTSIDE_MILLISECONDS = 200.0
LIMIT_TIMES_BARE = 2.0
_BOUNDARY = "raincell"
BARE = Path(__file__).with_name("bare.py")


class Sample(NamedTuple):
    """One request, in milliseconds."""

    megabytes: float
    whole: float
    forecast: float
    decode: float
    encode: float
    bare: float

    @property
    def outside(self) -> float:
        """All but the forecaster."""
        return self.whole - self.forecast

    @property
    def times_bare(self) -> float:
        """How many bare routes that is."""
        return self.outside / self.bare


def main() -> int:
    """Print the table; 1 when a media type with numbers misses a limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    form = _form(_radolan_files())
    missed: list[str] = []
    with server("-m", "service", "run", "--port") as ours, server(str(BARE)) as bare:
        print(f"{len(os.sched_getaffinity(0))} cores; median of {repeat}; {len(form) / 1e6:.1f} MB in; milliseconds")
        columns = ("MB out", "whole", "forecaster", "outside", "decode", "encode", "bare", "x bare")
        print(f"{'Accept':20}" + "".join(f"{name:>11}" for name in columns))
        for media_type in MEDIA_TYPES:
            _measure(ours, bare, form, media_type)  # the first of a kind imports and fills caches
            row = _median([_measure(ours, bare, form, media_type) for _ in range(repeat)])
            numbers = (row.megabytes, row.whole, row.forecast, row.outside, row.decode, row.encode, row.bare)
            print(f"{media_type:20}" + "".join(f"{n:11.1f}" for n in numbers) + f"{row.times_bare:11.2f}", flush=True)
            if media_type not in _DEFLATED:
                missed += [f"{media_type}: {text}" for text in _missed(row)]
    print(
        "\n".join(missed) or "npy and JSON hold all limits; NetCDF and images, which are deflated, are not held to them"
    )
    return int(bool(missed))


def _missed(row: Sample) -> Iterator[str]:
    if row.whole > 1000 * LIMIT_SECONDS:
        yield f"{row.whole:.0f} ms, expected {1000 * LIMIT_SECONDS:.0f}"
    if row.outside > LIMIT_OUTSIDE_MILLISECONDS:
        yield f"{row.outside:.0f} ms outside the forecaster, expected {LIMIT_OUTSIDE_MILLISECONDS:.0f}"
    if row.times_bare > LIMIT_TIMES_BARE:
        yield f"{row.times_bare:.2f} times the bare route, expected {LIMIT_TIMES_BARE:g}"


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(*(statistics.median(values) for values in zip(*samples, strict=True)))


def _radolan_files() -> list[bytes]:
    storm = storm_sequence(
        KNOWN_GRIDS["radolan"], 5, seed=1, end_time=datetime(2026, 6, 1, 12, tzinfo=UTC), product="RY"
    )
    return [write_radolan(frame) for frame in frames_of(storm)]


def _form(files: Sequence[bytes]) -> bytes:
    """The files as a multipart form, put together once: the client is not what is measured."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="frames"; filename="{{}}.bin"\r\n\r\n'
    parts = [head.format(number).encode() + data + b"\r\n" for number, data in enumerate(files)]
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


def _measure(
    ours: http.client.HTTPConnection, bare: http.client.HTTPConnection, form: bytes, media_type: str
) -> Sample:
    whole, size, timing = _post(ours, "/predict", form, media_type)
    bare_time, _, _ = _post(bare, f"/predict?size={size}", form, "*/*")
    parts = dict(part.strip().split(";dur=") for part in timing.split(","))
    forecast, decode, encode = (float(parts[name]) for name in ("forecast", "decode", "encode"))
    return Sample(size / 1e6, whole, forecast, decode, encode, bare_time)


def _post(connection: http.client.HTTPConnection, path: str, form: bytes, accept: str) -> tuple[float, int, str]:
    """Milliseconds, bytes that came, and the Server-Timing header. (httpx would take as long again for 39 MB.)"""
    headers = {"Accept": accept, "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    connection.close()  # opened again by itself: servers close connections that wait for five seconds
    start = time.perf_counter()
    connection.request("POST", path, form, headers)
    answer = connection.getresponse()
    size = len(answer.read())
    milliseconds = 1000 * (time.perf_counter() - start)
    if answer.status != 200:
        raise SystemExit(f"expected status 200 of {path}, got {answer.status}; run the service by hand")
    return milliseconds, size, answer.headers.get("Server-Timing", "")


@contextmanager
def server(*command: str) -> Iterator[http.client.HTTPConnection]:
    """A connection to a server process started with a free port as its last argument."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = subprocess.DEVNULL
    with subprocess.Popen([sys.executable, *command, str(port)], stdout=quiet, stderr=quiet) as process:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            _wait(connection, process)
            yield connection
        finally:
            process.terminate()


def _wait(connection: http.client.HTTPConnection, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return
        except OSError:
            connection.close()
            time.sleep(0.1)
    raise SystemExit("expected a ready server within 60 s, got none; run it by hand: python -m service run")


if __name__ == "__main__":
    sys.exit(main())
