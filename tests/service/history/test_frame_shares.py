"""No writer takes all the places, or all the room, that the history has: in memory, and shared by replicas in Redis."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from redis import Redis

from radar.errors import InvalidRequest
from radar.sequence import FrameSequence
from service.damage import Damage
from service.errors import StoreFull
from service.history.beginnings import PENDING_SECONDS
from service.history.codec import SeriesKey, encode
from service.history.frame_rules import MOST_SERIES
from service.history.frame_shares import Shares
from service.history.history import History
from service.history.redis.store import RedisHistory
from service.history.store import EncodedHistory, MemoryHistory
from service.redis.client import connect
from service.security.keys import make_key
from tests.service.conftest import SMALL, Client, RedisServer, npy, rain, sequence
from tests.service.routes.test_predict import NPY, check_problem

END = datetime(2017, 8, 16, 1, 15, tzinfo=UTC)
RETENTION = timedelta(hours=1)
NEXT = timedelta(minutes=5)
FRAME = len(encode(sequence(1))[0].data)
"""Bytes of a frame of `noise`, within a few."""

Replica = Callable[..., EncodedHistory]


@pytest.fixture(params=["memory", "redis"])
def replica(request: pytest.FixtureRequest) -> Replica:
    """Makes what another replica sees of one history: in memory there is one only."""
    if request.param == "memory":
        made: list[EncodedHistory] = []

        def in_memory(shares: Shares | None = None) -> EncodedHistory:
            made.extend([] if made else [MemoryHistory(RETENTION, shares)])
            return made[0]

        return in_memory
    server: RedisServer = request.getfixturevalue("redis_server")
    return lambda shares=None: RedisHistory(connect(server.url), RETENTION, shares=shares)


def of(product: str, seed: int = 0, frames: int = 1, end: datetime = END) -> FrameSequence:
    return sequence(frames, end=end, product=product, seed=seed)


def test_a_caller_begins_a_few_unknown_products_and_others_find_places(replica: Replica) -> None:
    one, other = replica(), replica()
    for number in range(4):
        (one, other)[number % 2].append(of(f"A{number}"), "key:a")
    for store in (one, other):
        with pytest.raises(InvalidRequest, match=r"at most 4 series of one caller.*RAINCELL_SERIES_PER_CALLER"):
            store.append(of("A4"), "key:a")
    assert SeriesKey("A4", SMALL.key) not in one.products()
    one.append(of("RY"), "key:a")  # a known product always finds a place
    one.append(of("A0", end=END + NEXT), "key:a")
    other.append(of("B0"), "key:b")
    other.append(of("B0", end=END + NEXT), "key:a")  # which is b's all the same
    other.append(of("OWN"))  # the operator's
    assert one.withdraw("A3", END)
    other.append(of("A4"), "key:a")
    assert one.beginnings.by()[SeriesKey("A4", SMALL.key)] == "key:a"


def test_callers_without_a_key_leave_half_of_the_places(replica: Replica) -> None:
    store = replica()
    for number in range(MOST_SERIES // 2):
        store.append(of(f"N{number}"), f"address:192.0.2.{number // 4}")
    with pytest.raises(InvalidRequest, match="at most 16 series of all callers without a key"):
        store.append(of("ONE-MORE"), "address:192.0.2.200")
    store.append(of("MINE"), "key:a")


def test_who_asks_many_replicas_at_once_begins_no_more(redis_server: RedisServer) -> None:
    stores = [RedisHistory(connect(redis_server.url), RETENTION) for _ in range(10)]
    at_once = threading.Barrier(len(stores))

    def begin(number: int) -> None:
        at_once.wait()
        with suppress(InvalidRequest):
            stores[number].append(of(f"A{number}"), "key:a")

    threads = [threading.Thread(target=begin, args=[number]) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores[0].products()) == 4


def test_a_series_that_was_begun_but_never_stored_counts_for_a_minute(replica: Replica) -> None:
    store = replica()
    mine, now = [SeriesKey(f"A{number}", SMALL.key) for number in range(5)], store.now()
    for series in mine[:4]:
        store.beginnings.begin(series, "key:a", [], 4, now)
    with pytest.raises(InvalidRequest):
        store.beginnings.begin(mine[4], "key:a", [], 4, now + PENDING_SECONDS)
    store.beginnings.begin(mine[4], "key:a", [], 4, now + PENDING_SECONDS + 1)
    assert set(store.beginnings.by()) == {mine[4]}


def test_what_redis_lost_of_who_began_what_comes_back(redis_server: RedisServer) -> None:
    now = [0.0]
    history = History(RedisHistory(connect(redis_server.url), RETENTION), MemoryHistory(RETENTION), lambda: now[0])
    for number in range(4):
        history.append(of(f"A{number}"), "key:a")
    redis_server.kill()
    redis_server.start()
    now[0] += 60
    with pytest.raises(InvalidRequest, match="at most 4"):
        history.append(of("A4"), "key:a")


def test_a_beginning_that_does_not_fit_is_left_out_and_named(redis_server: RedisServer) -> None:
    dropped: list[str] = []
    store = RedisHistory(connect(redis_server.url), RETENTION, Damage(dropped.append))
    for number in range(4):
        store.append(of(f"A{number}"), "key:a")
    with Redis(port=redis_server.port) as redis:
        redis.hset("raincell:begun", mapping={"\xff": "1 key:a", "A1|x": "", "A2|x": "nan key:a", "A3|x": b"\xff \xff"})
        with pytest.raises(InvalidRequest, match="at most 4"):
            store.append(of("A4"), "key:a")
        store.append(of("B"), "key:b")
        assert redis.hlen("raincell:begun") == 5
        assert dropped == ["series"] * 4
        redis.set("raincell:begun", "a string")
        store.append(of("A4"), "key:a")
        assert dropped[4:] == ["key"]


def test_noise_does_not_fill_the_history(replica: Replica) -> None:
    """Room for about 40 frames: 10 of a series, 20 of a caller."""
    store = replica(Shares(4, 41 * FRAME))
    store.append(of("RY", frames=12))
    for number in range(2):
        store.append(of(f"A{number}", frames=10), "key:a")
    before = {series: store.times(*series) for series in store.products()}
    with pytest.raises(InvalidRequest, match=r"compressed frames of A0.*nothing was stored.*raises the\s+limit"):
        store.append(of("A0", frames=2, end=END + 2 * NEXT), "key:a")
    with pytest.raises(InvalidRequest, match="that one caller began"):
        store.append(of("A2", frames=2), "key:a")
    with pytest.raises(InvalidRequest, match="that one caller began"):
        store.append(of("RV", frames=2), "key:a")
    store.append(of("B0", frames=8), "key:b")
    with pytest.raises(StoreFull, match="RAINCELL_HISTORY_MB"):
        store.append(of("B1", frames=3), "key:b")
    assert {series: store.times(*series) for series in before} == before
    store.append(of("A0", seed=0, frames=10), "key:a")  # makes it no larger
    dry = replace(of("A1", end=END + NEXT), rain_rate=np.zeros((1, *SMALL.shape), np.float32))
    store.append(dry, "key:a")  # nor does what replaces larger ones
    store.append(of("RY", frames=2, end=END + 2 * NEXT))  # nobody else's frames keep the operator's away


def test_frames_that_go_by_the_retention_make_room(replica: Replica) -> None:
    store = replica(Shares(4, 49 * FRAME))
    store.append(of("RY", frames=12), "key:a")
    store.append(of("RY", frames=6, seed=1, end=END + 6 * NEXT), "key:a")
    assert len(store.times("RY", SMALL.key)) == 12


def test_over_http_shares_are_of_the_key_and_refusals_are_told(
    make_client: Callable[..., Client], tmp_path: Path
) -> None:
    made = {name: make_key(name, {"read", "ingest"}, None) for name in ("a", "b")}
    (tmp_path / "keys").write_text("\n".join(key.line for _, key in made.values()))
    client = make_client(api_keys=tmp_path / "keys", series_per_caller=1, history_mb=16)

    def add(name: str, product: str, frames: np.ndarray) -> httpx.Response:
        about = {"product": product, "valid_time": "2017-08-16T01:15:00Z", "force": "true"}
        headers = NPY | {"Authorization": f"Bearer {made[name][0]}"}
        return client.post("/frames", params=about, content=npy(frames), headers=headers)

    wanted = (("a", "MINE"), ("a", "MORE"), ("b", "MORE"))
    assert [add(*each, rain(1)).status_code for each in wanted] == [201, 422, 201]
    check_problem(add("a", "THIRD", rain(1)), 422, "at most 1 series of one caller")
    noise = 100 * np.random.default_rng(0).random((1, 1700, 1700), np.float32)
    check_problem(add("a", "RV", noise), 422, "at most 4 MiB of compressed frames of RV")
    listed = client.get("/frames", headers={"Authorization": f"Bearer {made['a'][0]}"}).json()
    assert {series["product"] for series in listed["series"]} == {"MINE", "MORE"}
