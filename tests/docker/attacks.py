"""What hurts a service that trusts its callers, sent through the proxy: others are answered, and both replicas live."""

# ruff: noqa: T201

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tests.docker.deployment import PLACE, URL, Deployment, get_json, hold, output, status_of

IDLE, UNREAD, UNFINISHED, DRIPPING = 1000, 60, 12, 20
MOST_MEBIBYTES = 2048
"""Of one replica, at its peak."""
MOST_SECONDS = 5.0
"""For anybody's answer meanwhile, of a machine that is busy with the attack itself."""
_TOO_MUCH = {400, 413, 422, 429, 503}


def attack(deployment: Deployment) -> None:
    """All of it, one after the other; raises Failed."""
    replicas = deployment.compose("ps", "-q", "service").stdout.split()
    before = {replica: _starts(replica) for replica in replicas}
    with _others_are_answered("a body of some kilobytes that would be millions of objects"):
        hold(_post("/nowcast/points", _keys_without_end()) in _TOO_MUCH, "it is refused")
    run = get_json("/nowcast?product=DEMO")["run"]
    with (
        ExitStack() as connections,
        _others_are_answered(f"{IDLE} idle, {UNREAD} unread and {DRIPPING} dripping callers"),
    ):
        for _ in range(IDLE):
            _open(connections)
        for _ in range(UNREAD):
            _open(connections, small=True).sendall(_get(f"/nowcast/{run}", "application/x-npy"))
        for _ in range(DRIPPING):
            _open(connections).sendall(_head("/predict", 60 * 2**20) + b"x")
        time.sleep(10)
    with ExitStack() as connections, _others_are_answered(f"{UNFINISHED} bodies of 60 MiB that nobody asked for"):
        for _ in range(UNFINISHED):
            _send_without_end(_open(connections))
    hold({replica: _starts(replica) for replica in replicas} == before, "both replicas live, and neither began anew")
    peaks = [_peak_mebibytes(replica) for replica in replicas]
    print(f"      replicas held at most {' and '.join(f'{peak:.0f}' for peak in peaks)} MiB")
    hold(max(peaks) <= MOST_MEBIBYTES, f"a replica holds at most {MOST_MEBIBYTES} MiB")


@contextmanager
def _others_are_answered(name: str) -> Iterator[None]:
    """Ask for a place all the while."""
    seconds: list[float] = []
    failures: list[object] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            began = time.monotonic()
            status = status_of(PLACE)
            seconds.append(time.monotonic() - began)
            if status != 200:
                failures.append(status)
            done.wait(0.1)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        done.set()
        asking.join()
    print(f"      {name}: {len(seconds)} others, the slowest {max(seconds):.2f} s, failed: {failures[:5]}")
    hold(not failures and max(seconds) <= MOST_SECONDS, f"others are answered within {MOST_SECONDS:g} s")


def _keys_without_end() -> bytes:
    """A thousand places with a thousand unknown keys each, as gzip."""
    place = "{" + ",".join(f'"{key:x}":1' for key in range(1000)) + "}"
    return gzip.compress(("[" + ",".join([place] * 1000) + "]").encode())


def _post(path: str, body: bytes) -> int:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    try:
        with urlopen(Request(URL + path, body, headers), timeout=130) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def _open(connections: ExitStack, *, small: bool = False) -> socket.socket:
    """A connection to the proxy, with little room for what it is sent where `small`."""
    connection = connections.enter_context(socket.socket())
    if small:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(10)
    at = urlsplit(URL)
    connection.connect((at.hostname, at.port))
    return connection


def _get(path: str, accept: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\nAccept-Encoding: identity\r\n\r\n".encode()


def _head(path: str, size: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n".encode()


def _send_without_end(connection: socket.socket) -> None:
    """Most of a body, until the other side has had enough."""
    try:
        connection.sendall(_head("/frames?product=RY", 60 * 2**20))
        for _ in range(58):
            connection.sendall(bytes(2**20))
    except OSError:
        return


def _starts(container: str) -> str:
    return output("docker", "inspect", "-f", "{{.State.Status}} {{.State.StartedAt}} {{.RestartCount}}", container)


def _peak_mebibytes(container: str) -> float:
    """The largest memory of the container's process so far."""
    status = output("docker", "exec", container, "cat", "/proc/1/status")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
