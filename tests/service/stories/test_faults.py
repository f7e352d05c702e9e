"""A Redis that fails in every way there is, under the real server process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from redis import Redis

from models.repository import set_alias
from radar.sequence import iso
from tests.service.conftest import (
    SMALL,
    RedisServer,
    ServiceProcess,
    beside_age,
    npy,
    rain,
    tiny_card,
    wait_until,
    write_repository,
    write_version,
)
from tests.service.redis_front import Front

START = Callable[..., ServiceProcess]
NPY = {"Content-Type": "application/x-npy"}
FIRST = datetime(2017, 8, 16, 1, tzinfo=UTC)
pytestmark = pytest.mark.slow


@pytest.fixture
def make_redis() -> Iterator[Callable[..., RedisServer]]:
    """Starts servers with options, and stops them."""
    started: list[RedisServer] = []

    def make(*options: str) -> RedisServer:
        started.append(RedisServer(*options))
        return started[-1]

    yield make
    for server in started:
        server.kill()


CLIENT = httpx.Client(timeout=120, limits=httpx.Limits(max_connections=None), headers={"Connection": "close"})
"""For all calls: to make one loads certificates, 50 ms of this process's only lock, and starves two hundred threads.

No connection is used twice. To allow no idle ones is not enough: between two threads httpcore gives one away that it
is about to close, and the request fails with a bad file descriptor.
"""


def post_frames(url: str, frames: np.ndarray, end: datetime, product: str = "RY") -> httpx.Response:
    about = {"valid_time": iso(end), "product": product, "force": "true"}  # made up, and not all believable
    return CLIENT.post(f"{url}/frames", params=about, content=npy(frames), headers=NPY)


def get(url: str, path: str) -> httpx.Response:
    return CLIENT.get(f"{url}{path}")


def predict(url: str, product: str = "RY") -> httpx.Response:
    return CLIENT.post(f"{url}/predict?product={product}&lead_minutes=5&encoding=none")


def check_refusal(response: httpx.Response) -> None:
    """A 503 that says what it is and when to come again."""
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) > 0


def test_a_paused_redis(service_process: START, redis_server: RedisServer) -> None:
    server = service_process(RAINCELL_REDIS_URL=redis_server.url)
    assert post_frames(server.url, rain(), FIRST).status_code == 201
    redis_server.pause()
    answer = predict(server.url)
    assert answer.status_code == 200
    assert (beside_age(answer) or "").startswith("history store unavailable")
    check_refusal(post_frames(server.url, rain(1), FIRST + timedelta(minutes=5)))
    assert get(server.url, "/readyz").status_code == 200
    redis_server.resume()
    wait_until(lambda: beside_age(predict(server.url)) is None, "Redis to be asked again")
    assert post_frames(server.url, rain(1), FIRST + timedelta(minutes=5)).status_code == 201


def test_a_redis_that_is_stopped_and_comes_back_empty(service_process: START, redis_server: RedisServer) -> None:
    server = service_process(RAINCELL_REDIS_URL=redis_server.url)
    assert post_frames(server.url, rain(), FIRST).status_code == 201
    before = predict(server.url).json()["summary"]
    redis_server.kill()
    assert (beside_age(predict(server.url)) or "").startswith("history store unavailable")
    redis_server.start()
    wait_until(lambda: get(server.url, "/frames").json()["degraded"] is None, "Redis to be asked again")
    other = service_process(RAINCELL_REDIS_URL=redis_server.url)
    assert predict(other.url).json()["summary"] == before


def test_a_redis_without_memory_takes_nothing_and_can_be_read(
    service_process: START, make_redis: Callable[..., RedisServer]
) -> None:
    redis = make_redis("--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
    server = service_process(RAINCELL_REDIS_URL=redis.url, RAINCELL_HISTORY_MINUTES="10080", RAINCELL_RUNS="0")
    noise = np.random.default_rng(1).random((5, 700, 700), np.float32) * 100
    accepted = 0
    while (answer := post_frames(server.url, noise, FIRST + timedelta(minutes=25 * accepted))).status_code == 201:
        accepted += 1
        assert accepted < 20
    check_refusal(answer)
    assert "Redis" in answer.text
    assert accepted >= 1
    listed = get(server.url, "/frames").json()
    assert listed["degraded"] is None
    assert len(listed["series"][0]["times"]) == 5 * accepted
    assert get(server.url, "/readyz").json()["history_answers"] is True


def test_a_wrong_password_is_labelled_and_told_to_nobody(
    service_process: START, make_redis: Callable[..., RedisServer]
) -> None:
    redis = make_redis("--requirepass", "right")
    server = service_process(RAINCELL_REDIS_URL=f"redis://:wrong-secret@127.0.0.1:{redis.port}/0")
    answers = [post_frames(server.url, rain(), FIRST), predict(server.url), get(server.url, "/frames")]
    for answer in answers:
        check_refusal(answer)
        assert "secret" not in answer.text
    ready = get(server.url, "/readyz")
    assert ready.status_code == 200
    assert ready.json()["history_answers"] is False


def test_a_fail_over_behind_one_address(service_process: START, make_redis: Callable[..., RedisServer]) -> None:
    at_once = ("--repl-diskless-sync-delay", "0")
    old, new = make_redis(*at_once), make_redis(*at_once)
    front = Front(old.port)
    with Redis(port=old.port) as of_before, Redis(port=new.port) as of_now:
        of_now.replicaof("127.0.0.1", str(old.port))
        server = service_process(RAINCELL_REDIS_URL=f"redis://127.0.0.1:{front.port}/0")
        assert post_frames(server.url, rain(), FIRST).status_code == 201
        wait_until(lambda: of_before.dbsize() == of_now.dbsize(), "the frames to be replicated")
        of_now.replicaof("NO", "ONE")
        of_before.replicaof("127.0.0.1", str(new.port))  # it goes on answering whoever is connected
        refused = post_frames(server.url, rain(1), FIRST + timedelta(minutes=5))
        check_refusal(refused)
        assert "READONLY" in refused.text
        assert predict(server.url).status_code == 200
        front.target = new.port
        began = time.monotonic()
        later = rain(1, seed=7)
        wait_until(
            lambda: post_frames(server.url, later, FIRST + timedelta(minutes=5)).status_code == 201, "the new primary"
        )
        assert time.monotonic() - began < 10
        (series,) = get(server.url, "/frames").json()["series"]
        assert len(series["times"]) == 6
        assert beside_age(predict(server.url)) is None
        (times,) = of_now.keys("raincell:{RY|*}:times")
        assert of_now.zcard(times) == 6
    front.close()


PRODUCTS = [f"P{number}" for number in range(10)]
CLIENTS = 200


def even(value: float, frames: int) -> np.ndarray:
    """The same rain everywhere."""
    return np.full((frames, *SMALL.shape), value, np.float32)


def rain_at(time: datetime) -> float:
    """What it rains in every frame of that time."""
    return 1 + 0.5 * ((time - FIRST) / timedelta(minutes=5))


class Crowd:
    """Two hundred clients: one for each product adds frames, the others ask."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.enough = threading.Event()
        self.accepted: dict[str, list[datetime]] = {product: [] for product in PRODUCTS}
        self.answers = 0

    def add(self, product: str) -> None:
        time = FIRST
        while not self.enough.is_set() and len(self.accepted[product]) < 60:
            answer = post_frames(self.url, even(rain_at(time), 1), time, product)
            if answer.status_code == 201:
                self.accepted[product].append(time)
                time += timedelta(minutes=5)
            else:
                check_refusal(answer)

    def ask(self, number: int) -> None:
        while not self.enough.wait(0.2):  # people who look again, not a flood: the queue is full all the same
            answer = predict(self.url, PRODUCTS[number % len(PRODUCTS)])
            self.answers += 1
            if answer.status_code == 200:
                self.check(answer.json())
            elif answer.status_code != 404:  # nothing of that product yet
                check_refusal(answer)

    def check(self, said: dict[str, Any]) -> None:
        """The rain of the newest frame goes on, plus what the version adds unless something stands in for it."""
        expected = rain_at(datetime.fromisoformat(said["reference_time"]))
        got = said["summary"][0]["max"]
        adds = said["version"] == "2" and said["method"] == "model"
        assert got > expected if adds else got == pytest.approx(expected, rel=1e-2)


def test_two_hundred_clients_while_redis_dies_and_the_model_changes(
    service_process: START, redis_server: RedisServer, tmp_path: Path
) -> None:
    folder = write_repository(tmp_path / "models", tiny_card())
    server = service_process(
        RAINCELL_REDIS_URL=redis_server.url,
        RAINCELL_MODEL_REPOSITORY=str(folder),
        RAINCELL_WATCH_SECONDS="0.5",
        RAINCELL_QUEUE="50",
        RAINCELL_SERIES_PER_CALLER=str(len(PRODUCTS)),
    )
    crowd = Crowd(server.url)

    def accepted() -> int:
        return sum(len(times) for times in crowd.accepted.values())

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(crowd.add, product) for product in PRODUCTS]
        clients += [pool.submit(crowd.ask, number) for number in range(CLIENTS - len(PRODUCTS))]
        try:
            wait_until(lambda: accepted() >= 60, "frames")
            write_version(folder, tiny_card(version="2"), offset=0.1, golden_offset=0.1)
            set_alias(folder, "still", "champion", "2")
            redis_server.kill()
            redis_server.start()
            reached = accepted()
            wait_until(lambda: accepted() >= reached + 10, "frames in the new Redis")
            wait_until(lambda: get(server.url, "/models/still").json()["version"] == "2", "the new champion")
        finally:
            crowd.enough.set()
        for client in clients:
            client.result()
    assert crowd.answers >= CLIENTS
    wait_until(lambda: get(server.url, "/frames").json()["degraded"] is None, "Redis to be asked again")
    listed = {entry["product"]: entry["times"] for entry in get(server.url, "/frames").json()["series"]}
    for product, times in crowd.accepted.items():
        # None that got its 201 is lost; the one after them may have been stored without anybody hearing of it.
        assert listed[product][: len(times)] == [iso(time) for time in times]
        assert len(listed[product]) <= len(times) + 1
