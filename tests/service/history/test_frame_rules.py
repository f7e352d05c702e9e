"""A writer cannot spoil the series of others: what new frames have to have in common with their product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from radar.errors import InvalidRequest
from radar.grid import KNOWN_GRIDS, Grid
from radar.sequence import FrameSequence
from service.history.codec import SeriesKey
from service.history.frame_rules import MOST_SERIES, STORED_AHEAD, Held, check_fits
from service.history.quarantine import MOST_ENTRIES, MemoryQuarantine, QuarantineEntry
from service.history.redis.store import RedisHistory
from service.history.store import MemoryHistory
from service.redis.client import connect
from tests.service.conftest import SMALL, Client, RedisServer, npy, rain, sequence
from tests.service.routes.test_predict import NPY, check_problem

END = datetime(2017, 8, 16, 1, 15, tzinfo=UTC)
RETENTION = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
OTHER = Grid("other", (24, 20), 1.0)


@pytest.fixture(params=["RY", "MINE"])
def held(request: pytest.FixtureRequest) -> tuple[MemoryHistory, str]:
    """A history with an hour of a product that the table knows, or of one that it does not."""
    store = MemoryHistory(RETENTION)
    store.append(sequence(12, end=END, product=request.param))
    return store, request.param


def of_step(minutes: int, end: datetime, product: str) -> FrameSequence:
    return replace(sequence(1, end=end, product=product), timestep_minutes=minutes)


@pytest.mark.parametrize(
    ("spoiling", "told"),
    [
        (lambda product: of_step(1, END + MINUTE, product), "5 minutes apart"),
        (lambda product: of_step(10, END + 10 * MINUTE, product), "5 minutes apart"),
        (lambda product: sequence(1, end=END + 2 * MINUTE, product=product), "multiple"),
        (lambda product: sequence(1, end=END - 7 * MINUTE, product=product), "multiple"),
        (lambda product: sequence(1, end=END + timedelta(seconds=301), product=product), "whole minutes"),
        (lambda product: sequence(1, end=END + timedelta(microseconds=7), product=product), "whole minutes"),
        (lambda product: sequence(1, end=END + 5 * MINUTE, product=product, grid=OTHER), "on grid"),
        (lambda product: sequence(1, end=END - 600 * MINUTE, product=product, grid=OTHER), "on grid"),
    ],
)
def test_frames_unlike_those_of_their_product_are_refused(
    held: tuple[MemoryHistory, str], spoiling: Callable[[str], FrameSequence], told: str
) -> None:
    store, product = held
    before = store.times(product, SMALL.key)
    with pytest.raises(InvalidRequest, match=told):
        store.append(spoiling(product))
    assert store.products() == [SeriesKey(product, SMALL.key)]
    assert store.times(product, SMALL.key) == before
    store.append(sequence(1, end=END + 5 * MINUTE, product=product))


def test_a_product_may_change_when_its_old_frames_count_no_more() -> None:
    store = MemoryHistory(RETENTION)
    store.append(sequence(1, end=END, product="MINE"))
    store.append(of_step(1, END + RETENTION + MINUTE, "MINE"))
    assert store.newest(SeriesKey("MINE", SMALL.key), 1)[0].header.timestep_minutes == 1


def test_the_table_of_products_says_how_far_apart_frames_are() -> None:
    with pytest.raises(InvalidRequest, match="RY 5 minutes apart"):
        MemoryHistory(RETENTION).append(of_step(1, END, "RY"))
    with pytest.raises(InvalidRequest, match="RW 60 minutes apart"):
        MemoryHistory(RETENTION).append(sequence(1, end=END, product="RW"))


def test_a_grid_of_the_network_takes_over_from_one_that_nobody_knows() -> None:
    store = MemoryHistory(RETENTION)
    store.append(sequence(1, end=END))
    held = [Held(SeriesKey("RY", SMALL.key), store.newest(SeriesKey("RY", SMALL.key), 1)[0].header)]
    true = sequence(1, end=END, grid=KNOWN_GRIDS["radolan"])
    check_fits(true, held, RETENTION)
    with pytest.raises(InvalidRequest, match="on grid"):
        check_fits(replace(true, product="MINE"), [replace(held[0], series=SeriesKey("MINE", SMALL.key))], RETENTION)


def test_a_known_product_finds_a_place_when_others_took_all() -> None:
    store = MemoryHistory(RETENTION)
    for number in range(MOST_SERIES):
        store.append(sequence(1, end=END, product=f"N{number}"))
    with pytest.raises(InvalidRequest, match="at most"):
        store.append(sequence(1, end=END, product="one-more"))
    store.append(sequence(1, end=END, product="RV"))
    assert SeriesKey("RV", SMALL.key) in store.products()


def test_a_replica_whose_clock_is_ahead_moves_nothing_for_the_others(redis_server: RedisServer) -> None:
    """It lets frames of its own now pass; the clock of Redis, the same for all, does not."""
    store = RedisHistory(connect(redis_server.url), RETENTION)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    store.append(sequence(5, end=now))
    for hours in (0.2, 5, 24 * 365):
        with pytest.raises(InvalidRequest, match="clock of the history store"):
            store.append(sequence(1, end=now + 5 * round(12 * hours) * MINUTE))
    assert store.times("RY", SMALL.key) == list(sequence(5, end=now).valid_times)
    assert timedelta(0) < STORED_AHEAD <= 5 * MINUTE, "no frame is taken two timesteps before its time"


def test_over_http_such_frames_are_422_whatever_force_says(client: Client) -> None:
    def post(end: str, **query: str) -> int:
        about = {"product": "RY", "valid_time": f"2017-08-16T{end}Z", "force": "true", **query}
        return client.post("/frames", params=about, content=npy(rain(1)), headers=NPY).status_code

    assert post("01:15:00") == 201
    assert [post("01:20:07"), post("01:17:00"), post("01:16:00", timestep_minutes="1")] == [422] * 3
    assert client.get("/frames").json()["series"][0]["times"] == ["2017-08-16T01:15:00Z"]
    other = {"product": "RY", "valid_time": "2017-08-16T01:20:00Z"}
    body = npy(rain(1, (30, 30)))
    check_problem(client.post("/frames", params=other, content=body, headers=NPY), 422, "on grid")
    assert client.get("/frames?product=RY").status_code == 200


def test_what_floods_the_quarantine_pushes_out_its_own() -> None:
    def entry(product: str, minutes: int) -> QuarantineEntry:
        time = END + minutes * MINUTE
        return QuarantineEntry(
            product=product, grid=None, time=time, reason="mean", detail="", origin="post", noted_at=time
        )

    listed = MemoryQuarantine()
    for minutes in range(5):
        listed.put(entry("RY", minutes))
    for minutes in range(2 * MOST_ENTRIES):
        listed.put(entry("FLOOD", 10 + minutes))
    left = [each.product for each in listed.entries()]
    assert (left.count("RY"), len(left)) == (5, MOST_ENTRIES)
    for number in range(2 * MOST_ENTRIES):
        listed.put(entry(f"F{number}", 1000 + number))
    left = [each.product for each in listed.entries()]
    assert (left.count("RY"), len(left)) == (1, MOST_ENTRIES)
