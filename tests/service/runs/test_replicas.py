"""Runs by real server processes that share a real Redis."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest
from redis import Redis

from models.repository import PRETRAINED
from radar.demo import floor_to_step
from radar.files.radolan import write_radolan
from radar.frame import frames_of
from radar.grid import grid_named
from tests.service.conftest import RedisServer, ServiceProcess, sequence, wait_until

START = Callable[..., ServiceProcess]
END = floor_to_step(datetime.now(UTC))  # so that no run ends meanwhile


def post_frames(url: str) -> None:
    """An hour's last 25 minutes of random rain over Germany."""
    frames = frames_of(sequence(5, end=END, grid=grid_named("radolan")))
    files = [("frames", (f"{k}.bin", write_radolan(frame))) for k, frame in enumerate(frames)]
    assert httpx.post(f"{url}/frames", files=files, timeout=60).status_code == 201


def made_by_model(url: str) -> bool:
    """Whether the latest run is not, or no longer, the quick one that answers for the first."""
    answer = httpx.get(f"{url}/nowcast", timeout=60)
    return answer.status_code == 200 and answer.json()["method"] == "model"


@pytest.mark.slow
def test_a_replica_killed_in_mid_run_is_followed_by_another(service_process: START, redis_server: RedisServer) -> None:
    settings = {"RAINCELL_REDIS_URL": redis_server.url, "RAINCELL_MODEL_REPOSITORY": str(PRETRAINED)}
    first = service_process(**settings)
    post_frames(first.url)
    redis = Redis(port=redis_server.port)
    wait_until(lambda: bool(redis.keys("*:lock")), "the run to begin")
    first.process.kill()
    second = service_process(**settings)
    assert redis.keys("*:lock")  # the run was not finished
    started, methods = time.monotonic(), [""]
    while methods[-1] != "model":
        answer = httpx.get(f"{second.url}/nowcast", timeout=30)
        assert answer.status_code in (200, 503)
        methods.append(answer.json()["method"] if answer.status_code == 200 else "")
        assert time.monotonic() < started + 250
        time.sleep(0.2)
    assert set(methods) <= {"", "sprog-cdf", "model"}
    assert httpx.get(f"{second.url}/nowcast").json()["degraded"] is None


@pytest.mark.slow
def test_redis_paused_and_killed_costs_no_run_and_no_500(service_process: START, redis_server: RedisServer) -> None:
    server = service_process(RAINCELL_REDIS_URL=redis_server.url)
    post_frames(server.url)

    def get(path: str) -> httpx.Response:
        return httpx.get(f"{server.url}{path}", timeout=60, headers={"Accept": "application/json"})

    wait_until(lambda: made_by_model(server.url), "the run")
    run = get("/nowcast").json()
    place = get("/nowcast/point?lat=52.5&lon=13.4").json()
    for harm in (redis_server.pause, redis_server.kill):
        harm()
        wait_until(lambda: get("/nowcast").json()["degraded"] is not None, "the loss of Redis to be seen")
        assert get("/nowcast").json() == {**run, "degraded": get("/nowcast").json()["degraded"]}
        again = get("/nowcast/point?lat=52.5&lon=13.4").json()
        assert again["forecast"] == place["forecast"]
        assert again["degraded"].startswith("run store unavailable")
        for frame in run["forecast"][::8]:
            assert get(frame["url"]).status_code == 200
        if harm == redis_server.pause:
            redis_server.resume()
            wait_until(lambda: get("/nowcast").json()["degraded"] is None, "Redis to be seen again")
    redis_server.start()
    wait_until(lambda: get("/nowcast").json()["degraded"] is None, "the run in the new Redis")
    assert get("/nowcast").json() == run


@pytest.mark.slow
def test_two_replicas_serve_the_same_bytes(service_process: START, redis_server: RedisServer) -> None:
    one, other = (service_process(RAINCELL_REDIS_URL=redis_server.url) for _ in range(2))
    post_frames(one.url)
    for server in (one, other):
        wait_until(lambda url=server.url: made_by_model(url), "the run")  # type: ignore[misc]
    answers = [
        httpx.get(f"{server.url}/nowcast", headers={"Accept": "application/x-npy"}, timeout=60)
        for server in (one, other)
    ]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["etag"] == answers[1].headers["etag"]
    assert len(np.frombuffer(answers[0].content[-900 * 900 * 4 :], "<f4")) == 810_000
