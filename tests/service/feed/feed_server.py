"""A web server in the manner of DWD's that serves late, fails, and cuts files off; and the files that it serves."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from radar.files.radolan import write_radolan
from radar.files.rv import write_archive
from radar.frame import Frame
from radar.grid import grid_named
from radar.sequence import FrameSequence, times_after

Misbehaviour = int | str
"""A status instead of the file, "truncated", "slow", or "stalled"."""


class FeedServer:
    """Serves `files` on a port of its own.

    `faults` are taken off a name's list one request at a time; "" is the listing. `requests` are (name, status).
    """

    def __init__(self, *, style: str = "nginx", validators: bool = True) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Misbehaviour]] = defaultdict(list)
        self.headers: dict[str, str] = {}
        self.requests: list[tuple[str, int]] = []
        self.unlisted: set[str] = set()
        self.style, self.validators = style, validators
        self.delay = 0.0
        self.released = threading.Event()
        self._versions: dict[str, int] = defaultdict(int)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/weather/radar/"

    def put(self, name: str, data: bytes) -> None:
        """A file that comes, or changes."""
        self.files[name] = data
        self._versions[name] += 1

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def fetched(self, name: str) -> list[int]:
        """The statuses of all requests for a name."""
        return [status for requested, status in self.requests if requested == name]

    def modified(self, name: str) -> str:
        return formatdate(1_500_000_000 + 60 * self._versions[name], usegmt=True)

    def etag(self, name: str) -> str:
        return f'"{name}-{self._versions[name]}"'

    def listing(self) -> bytes:
        """The directory as nginx or Apache shows it: names cut off in what is shown, whole in the links."""
        rows = []
        for name in sorted(self.files.keys() - self.unlisted):
            shown, size = f"{name[:20]}..&gt;", len(self.files[name])
            if self.style == "nginx":
                rows.append(f'<a href="{name}">{shown}</a>  16-Aug-2017 01:0{self._versions[name]}   {size}')
            else:
                cells = f'<td align="right">2017-08-16 01:0{self._versions[name]}</td><td>{size}</td>'
                rows.append(f'<tr><td><img src="/icons/x.gif"></td><td><a href="{name}">{shown}</a></td>{cells}</tr>')
        body = "\n".join(['<a href="?C=N;O=D">Name</a>', '<a href="../">../</a>', *rows])
        head = "<head><title>Index of /</title></head>"
        return f"<html>{head}<body><h1>Index of /</h1><pre>{body}</pre></body></html>".encode()


def _handler(feed: FeedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            name = self.path.removeprefix("/weather/radar/")
            feed.released.wait(feed.delay)
            fault = feed.faults[name].pop(0) if feed.faults[name] else None
            data = feed.listing() if name == "" else feed.files.get(name)
            if isinstance(fault, int) or data is None:
                self._answer(name, fault if isinstance(fault, int) else 404, b"no such luck")
            elif name and feed.validators and self._unchanged(name):
                self._answer(name, 304, b"")
            else:
                self._send(name, data, fault)

        def _unchanged(self, name: str) -> bool:
            asked = (self.headers["If-None-Match"], self.headers["If-Modified-Since"])
            return asked[0] == feed.etag(name) or (asked[0] is None and asked[1] == feed.modified(name))

        def _answer(self, name: str, status: int, body: bytes) -> None:
            feed.requests.append((name, status))
            self.send_response(status)
            for header, value in feed.headers.items():
                self.send_header(header, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _send(self, name: str, data: bytes, fault: Misbehaviour | None) -> None:
            feed.requests.append((name, 200))
            self.send_response(200)
            if name and feed.validators:
                self.send_header("ETag", feed.etag(name))
                self.send_header("Last-Modified", feed.modified(name))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                if fault == "truncated":
                    self.wfile.write(data[: len(data) // 2])
                    self.close_connection = True
                elif fault in ("slow", "stalled"):
                    self._drip(data, fault == "slow")
                else:
                    self.wfile.write(data)

        def _drip(self, data: bytes, goes_on: bool) -> None:
            """A byte now and then, or one and no more."""
            for position in range(len(data)):
                self.wfile.write(data[position : position + 1])
                self.wfile.flush()
                if feed.released.wait(0.02 if goes_on else 600):
                    return

    return Handler


@contextlib.contextmanager
def feed_server(**options: Any) -> Iterator[FeedServer]:
    """A server, stopped at the end."""
    server = FeedServer(**options)
    try:
        yield server
    finally:
        server.stop()


def shower(shape: tuple[int, int], seed: int) -> np.ndarray:
    """A shower of 40x40 pixels that moves with the seed, a corner without data, in steps of 0.12 mm/h."""
    rain = np.zeros(shape, np.float32)
    counts = np.random.default_rng(seed).integers(1, 100, (40, 40))
    rain[100 + seed : 140 + seed, 200:240] = (counts * 0.12).astype(np.float32)
    rain[:50, :50] = np.nan
    return rain


def ry_name(time: datetime, suffix: str = ".gz") -> str:
    return f"raa01-ry_10000-{time:%y%m%d%H%M}-dwd---bin{suffix}"


def ry_file(time: datetime, seed: int = 0, change: Callable[[np.ndarray], None] | None = None) -> bytes:
    """An RY file as DWD publishes it, gzip."""
    grid = grid_named("radolan")
    rain = shower(grid.shape, seed)
    if change:
        change(rain)
    return gzip.compress(write_radolan(Frame(rain, time, grid, 5, "RY", "")), 1, mtime=0)


def rv_name(time: datetime) -> str:
    return f"composite_rv_{time:%Y%m%d_%H%M}.tar"


def rv_file(time: datetime, leads: int = 3, seed: int = 0, first: int = 0) -> bytes:
    """An RV archive as DWD publishes it today, with fewer lead times."""
    grid = grid_named("de1200")
    rain = np.stack([shower(grid.shape, seed + lead) for lead in range(first, first + leads)])
    times = times_after(times_after(time, 1, -5)[0], first + leads, 5)[first:]
    return write_archive(FrameSequence(rain, times, grid, 5, "RV", time), form="odim")
