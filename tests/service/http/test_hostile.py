"""Bad requests over HTTP: each has its status and its words, tells no path, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import io
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from redis import Redis

from service.app import create_app
from service.history.redis.store import RedisHistory
from service.settings import Settings
from tests.peak_memory import peak_bytes
from tests.service import hostile_files as bad
from tests.service.conftest import Client, RedisServer, ServiceProcess, beside_age, client_of, npy, rain
from tests.service.hostile_requests import CASES, Case, files
from tests.service.routes.test_predict import NPY, check_problem

A_PATH = re.compile(r"/(srv|etc|tmp|usr|home|root|var|opt|proc|dev)\b|Traceback|\.py\b|site-packages")
ABOUT = {"valid_time": "2017-08-16T01:15:00Z", "product": "RY"}
MOST_MEGABYTES_ABOVE_IDLE = 400
"""As docs/lab/service-speed.md states it."""


class Target:
    """An application with frames in a real Redis."""

    def __init__(self, client: Client, redis: RedisServer) -> None:
        self.client = client
        self._redis = Redis(port=redis.port)

    def stored(self) -> tuple[Any, dict[bytes, bytes]]:
        """What GET /frames says but for the age, and every key of Redis with its bytes."""
        listed = self.client.get("/frames").json()
        for series in listed["series"]:
            series.pop("age_seconds")
        return listed, {key: self._redis.dump(key) for key in self._redis.keys("*")}  # type: ignore[misc]


@pytest.fixture(scope="module")
def target(repository: Path) -> Iterator[Target]:
    """One for all cases: refused requests leave no trace, so they do not disturb each other."""
    redis = RedisServer()
    try:
        with client_of(create_app(Settings(model_repository=repository, redis_url=redis.url, runs=False))) as client:
            assert client.post("/frames", params=ABOUT, content=npy(rain()), headers=NPY).status_code == 201
            assert client.post("/frames", **files(*[lambda: bad.radolan(0)])()).status_code == 201
            yield Target(client, redis)
    finally:
        redis.kill()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_refused_in_words_and_nothing_of_it_is_stored(target: Target, case: Case) -> None:
    before = target.stored()
    for route in case.routes:
        response = target.client.post(route, **case.make())
        problem = check_problem(response, case.status, case.text)
        assert problem["expected"]
        assert problem["got"]
        assert problem["remedy"]
        assert not A_PATH.search(response.text)
    assert target.stored() == before


def test_archives_are_extracted_nowhere_and_nothing_is_unpickled() -> None:
    assert not list(Path("/tmp").glob("raincell-*ed"))
    assert not list(Path().glob("raincell-*ed"))


def test_nothing_but_missing_pixels_is_forecast_as_missing(target: Target) -> None:
    frames = np.full((5, 24, 20), np.nan, np.float32)
    accept = {"Accept": "application/x-npy", **NPY}
    response = target.client.post("/predict", params=ABOUT, content=npy(frames), headers=accept)
    assert response.status_code == 200
    forecast = np.load(io.BytesIO(response.content))
    assert forecast.shape == (12, 24, 20)
    assert np.isnan(forecast).all()


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({"model": "../../etc"}, 404, "see GET /models"),
        ({"product": "ZZ"}, 404, "'ZZ'"),
        ({"product": "RY", "grid": "atlantis"}, 404, "atlantis"),
        ({"product": "RY", "lead_minutes": 125}, 422, "multiple of 5"),
        ({"product": "RY", "lead_minutes": 7}, 422, "multiple of 5"),
        ({"product": "RY", "lead_minutes": 10**30}, 422, "lead_minutes"),
        ({"product": "RY", "valid_time": "2017-08-16T01:15:00Z"}, 422, "without a body"),
        ({"valid_time": "1e400"}, 422, "valid_time"),
    ],
)
def test_questions_without_an_answer(target: Target, query: dict[str, Any], status: int, text: str) -> None:
    before = target.stored()
    check_problem(target.client.post("/predict", params=query), status, text)
    assert target.stored() == before


def test_a_host_that_is_none_is_no_fault_of_ours(target: Target) -> None:
    check_problem(target.client.get("/nonesuch", headers={"Host": "["}), 421)


# --- Redis gone in mid-request ---------------------------------------------------------------------------------------


def killing(redis: RedisServer, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill Redis when a request comes to this call of the store, after it was asked for other things."""
    original = getattr(RedisHistory, method)

    def killed(*arguments: Any) -> Any:
        redis.kill()
        return original(*arguments)

    monkeypatch.setattr(RedisHistory, method, killed)


@pytest.fixture
def shared(make_client: Callable[..., Client], redis_server: RedisServer) -> Client:
    """A client of an application whose store is Redis, with five frames."""
    client = make_client(redis_url=redis_server.url, runs=False)
    assert client.post("/frames", params=ABOUT, content=npy(rain()), headers=NPY).status_code == 201
    return client


def test_redis_gone_while_a_forecast_reads_it(
    shared: Client, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shared.post("/predict?product=RY").json()
    killing(redis_server, "newest", monkeypatch)
    answer = shared.post("/predict?product=RY")
    assert answer.status_code == 200
    assert (beside_age(answer) or "").startswith("history store unavailable")
    assert answer.json()["frames"] == before["frames"]


@pytest.mark.usefixtures("shared")
def test_redis_gone_while_a_replica_that_remembers_nothing_reads_it(
    make_client: Callable[..., Client],
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replica = make_client(redis_url=redis_server.url, runs=False)
    killing(redis_server, "newest", monkeypatch)
    response = replica.post("/predict?product=RY")
    check_problem(response, 503, "history store")
    assert int(response.headers["retry-after"]) > 0


def test_redis_gone_while_frames_are_stored(
    shared: Client, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shared.get("/frames").json()["series"][0]["times"]
    killing(redis_server, "put", monkeypatch)
    later = {**ABOUT, "valid_time": "2017-08-16T01:40:00Z"}
    response = shared.post("/frames", params=later, content=npy(rain()), headers=NPY)
    check_problem(response, 503, "history store")
    assert not A_PATH.search(response.text)
    assert shared.get("/frames").json()["series"][0]["times"] == before


# --- memory ----------------------------------------------------------------------------------------------------------


def test_the_whole_set_stays_below_the_stated_memory(service_process: Callable[..., ServiceProcess]) -> None:
    server = service_process()
    with httpx.Client(base_url=server.url, timeout=120) as client:
        sound = client.post("/predict", params=ABOUT, content=npy(rain()), headers=NPY)
        assert sound.status_code == 200
        idle = peak_bytes(server.process.pid) / 2**20
        for case in CASES:
            for route in case.routes:
                response = client.post(route, **case.make())
                assert response.status_code == case.status, f"{case.name}: {response.text}"
        for declared in (b"Content-Length: 99999999999\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"):
            endless(server.port, declared)
        assert client.get("/frames").json()["series"] == []
    peak = peak_bytes(server.process.pid) / 2**20
    print(f"idle {idle:.0f} MB, peak {peak:.0f} MB")  # noqa: T201 - shown with -s, for docs/lab/service-speed.md
    assert peak - idle < MOST_MEGABYTES_ABOVE_IDLE


def endless(port: int, headers: bytes) -> None:
    """A body that goes on, declared or in chunks, until the server has had enough."""
    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-npy\r\n" + headers)
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.sendall(chunk)
        with contextlib.suppress(OSError):
            assert b" 413 " in connection.recv(65536).split(b"\r\n")[0]
