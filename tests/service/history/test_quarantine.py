"""Frames that are not believed: the list's contract, in memory and on a real Redis, and what HTTP says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest

from service.history.quarantine import (
    MOST_ENTRIES,
    Counts,
    MemoryQuarantine,
    QuarantineEntry,
    QuarantineList,
    frame_before,
)
from service.history.redis.quarantine import RedisQuarantine
from service.redis.client import connect
from tests.service.conftest import Client, RedisServer, npy, sequence
from tests.service.routes.test_predict import NPY, check_problem

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["memory", "redis"])
def quarantine(request: pytest.FixtureRequest) -> Iterator[QuarantineList]:
    if request.param == "memory":
        yield MemoryQuarantine()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    yield RedisQuarantine(connect(server.url))


def entry(minutes: int = 0, **changes: object) -> QuarantineEntry:
    kept = {"product": "RY", "grid": "radolan", "time": NOW, "reason": "frozen", "detail": "x", "origin": "post"}
    return QuarantineEntry.model_validate({**kept, "noted_at": NOW + timedelta(minutes=minutes), **changes})


def test_entries_come_back_newest_first(quarantine: QuarantineList) -> None:
    assert quarantine.entries() == []
    first, second = entry(0), entry(1, product="RV", time=None, file="a.tar", origin="feed")
    quarantine.put(first)
    quarantine.put(second)
    assert quarantine.entries() == [second, first]


def test_the_same_frame_is_listed_once(quarantine: QuarantineList) -> None:
    quarantine.put(entry(0))
    quarantine.put(entry(3, reason="maximum"))
    assert [kept.reason for kept in quarantine.entries()] == ["maximum"]


def test_frames_that_were_taken_after_all_are_forgotten(quarantine: QuarantineList) -> None:
    quarantine.put(entry(0))
    quarantine.put(entry(0, time=NOW + timedelta(minutes=5)))
    quarantine.clear("RY", [NOW, NOW - timedelta(days=1)])
    quarantine.clear("YW", [NOW + timedelta(minutes=5)])
    assert [kept.time for kept in quarantine.entries()] == [NOW + timedelta(minutes=5)]


def test_the_list_is_bounded(quarantine: QuarantineList) -> None:
    for number in range(MOST_ENTRIES + 3):
        quarantine.put(entry(number, time=NOW + timedelta(minutes=number)))
    kept = quarantine.entries()
    assert len(kept) == MOST_ENTRIES
    assert kept[-1].time == NOW + timedelta(minutes=3)


def test_counts_tell_their_listener() -> None:
    heard: list[str] = []
    counts = Counts(heard.append)
    counts.add("frozen")
    counts.add("frozen")
    assert heard == ["frozen", "frozen"]
    assert counts.by_reason["frozen"] == 2


def test_the_frame_before_is_the_nearest_earlier_one() -> None:
    from service.history.codec import encode

    stored = encode(sequence(5, end=NOW))
    times = [frame.valid_time for frame in stored]

    def before(time: datetime) -> datetime | None:
        found = frame_before(times, lambda count: stored[-count:], time, timedelta(minutes=20))
        return found.valid_times[0] if found else None

    assert before(NOW + timedelta(minutes=5)) == NOW
    assert before(NOW) == NOW - timedelta(minutes=5)
    assert before(NOW - timedelta(minutes=7)) == NOW - timedelta(minutes=10)
    assert before(NOW - timedelta(minutes=20)) is None
    assert before(NOW + timedelta(minutes=21)) is None


def field(seed: int, wet: float = 0.2) -> np.ndarray:
    """120x120 pixels, of which a part is wet, of other rates with each seed."""
    rain = np.random.default_rng(seed).random((120, 120)).astype(np.float32) * 3 + 1
    rain[round(wet * 120) :] = 0
    return rain


def add(client: Client, time: str, *fields: np.ndarray, **query: object) -> httpx.Response:
    params = {"valid_time": f"2017-08-16T{time}:00Z", "product": "RY", **query}
    return client.post("/frames", params=params, content=npy(np.stack(fields)), headers=NPY)


def test_a_frame_that_jumps_is_refused_listed_and_counted(client: Client) -> None:
    assert add(client, "01:00", field(0)).status_code == 201
    refused = add(client, "01:05", field(1, wet=0.9))
    check_problem(refused, 422, "wet_area")
    assert refused.json()["type"].endswith("frame-quarantined")
    assert "force=true" in refused.json()["remedy"]
    listed = client.get("/frames").json()
    assert listed["series"][0]["times"] == ["2017-08-16T01:00:00Z"]
    (quarantined,) = listed["quarantined"]
    assert (quarantined["product"], quarantined["time"]) == ("RY", "2017-08-16T01:05:00Z")
    assert (quarantined["reason"], quarantined["origin"]) == ("wet_area", "post")
    assert "20% before and 90% now" in quarantined["detail"]


def test_of_a_request_with_one_absurd_frame_nothing_is_stored(client: Client) -> None:
    check_problem(add(client, "01:05", field(0), np.full((120, 120), 60, np.float32)), 422, "on average")
    assert client.get("/frames").json()["series"] == []
    assert [entry["time"] for entry in client.get("/frames").json()["quarantined"]] == ["2017-08-16T01:05:00Z"]


def test_a_frozen_field_is_refused_and_the_same_frame_again_is_not(client: Client) -> None:
    assert add(client, "01:00", field(0)).status_code == 201
    assert add(client, "01:00", field(0)).status_code == 201
    check_problem(add(client, "01:05", field(0)), 422, "frozen")


def test_an_operator_can_say_that_it_is_real(client: Client) -> None:
    add(client, "01:00", field(0))
    assert add(client, "01:05", field(1, wet=0.9)).status_code == 422
    assert add(client, "01:05", field(1, wet=0.9), force=True).status_code == 201
    listed = client.get("/frames").json()
    assert listed["series"][0]["times"][-1] == "2017-08-16T01:05:00Z"
    assert listed["quarantined"] == []


def test_replicas_share_the_list(make_client: Callable[..., Client], redis_server: RedisServer) -> None:
    one, other = make_client(redis_url=redis_server.url), make_client(redis_url=redis_server.url)
    add(one, "01:00", field(0))
    assert add(other, "01:05", field(1, wet=0.9)).status_code == 422
    (quarantined,) = one.get("/frames").json()["quarantined"]
    assert quarantined["reason"] == "wet_area"
    redis_server.kill()
    assert one.get("/frames").json()["degraded"].startswith("history store unavailable")


def test_a_product_of_which_all_is_quarantined_is_listed(client: Client) -> None:
    add(client, "01:05", np.full((120, 120), 60, np.float32))
    listed = client.get("/frames?product=RY")
    assert listed.status_code == 200
    assert len(listed.json()["quarantined"]) == 1
    check_problem(client.get("/frames?product=YW"), 404)
