"""One contract for every history store, run in memory and on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from redis import Redis

from radar.errors import InvalidRequest, UnknownProduct
from radar.grid import Grid
from radar.sequence import FrameSequence
from service.errors import StoredHistoryIncomplete
from service.history.codec import SeriesKey, StoredFrame, encode
from service.history.frame_rules import MOST_SERIES
from service.history.redis.store import RedisHistory
from service.history.series import choose_series
from service.history.store import EncodedHistory, MemoryHistory, gaps, stamped
from service.redis.client import connect
from tests.service.conftest import SMALL, RedisServer, sequence

END = datetime(2017, 8, 16, 1, 15, tzinfo=UTC)
RETENTION = timedelta(hours=1)
OTHER = Grid("other", (24, 20), 1.0)
SERIES = SeriesKey("RY", SMALL.key)


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator[EncodedHistory]:
    if request.param == "memory":
        yield MemoryHistory(RETENTION)
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    yield RedisHistory(connect(server.url), RETENTION)


def test_latest_gives_the_newest_frames(store: EncodedHistory) -> None:
    frames = sequence(8, end=END)
    store.append(frames)
    latest = store.latest("RY", SMALL.key, 5)
    np.testing.assert_array_equal(latest.rain_rate, frames.rain_rate[-5:])
    assert latest.valid_times == frames.valid_times[-5:]
    assert (latest.grid, latest.product, latest.timestep_minutes) == (SMALL, "RY", 5)


def test_an_empty_store_knows_nothing(store: EncodedHistory) -> None:
    assert store.products() == []
    assert store.times("RY", SMALL.key) == []
    assert not store.withdraw("RY", END)
    with pytest.raises(UnknownProduct):
        store.latest("RY", SMALL.key, 1)


def test_frames_may_come_in_any_order(store: EncodedHistory) -> None:
    store.append(sequence(2, end=END))
    store.append(sequence(3, end=END - timedelta(minutes=10), seed=1))
    assert store.times("RY", SMALL.key) == list(sequence(5, end=END).valid_times)
    assert len(store.latest("RY", SMALL.key, 5)) == 5


def test_a_gap_is_named(store: EncodedHistory) -> None:
    store.append(sequence(2, end=END))
    store.append(sequence(2, end=END - timedelta(minutes=15)))
    with pytest.raises(StoredHistoryIncomplete, match="10 minutes between 2017-08-16T01:00:00Z and 2017-08-16T01:10"):
        store.latest("RY", SMALL.key, 4)


def test_too_few_frames_are_counted(store: EncodedHistory) -> None:
    store.append(sequence(2, end=END))
    with pytest.raises(StoredHistoryIncomplete, match=r"expected 5 frames, 5 minutes apart.*got 2"):
        store.latest("RY", SMALL.key, 5)


def test_the_same_time_again_replaces_the_frame(store: EncodedHistory) -> None:
    store.append(sequence(1, end=END))
    store.append(sequence(1, end=END, seed=9))
    assert len(store.times("RY", SMALL.key)) == 1
    expected = sequence(1, end=END, seed=9).rain_rate
    np.testing.assert_array_equal(store.latest("RY", SMALL.key, 1).rain_rate, expected)


def test_products_and_grids_are_kept_apart(store: EncodedHistory) -> None:
    store.append(sequence(1, end=END))
    store.append(sequence(1, end=END, product="YW", seed=1))
    later = END + RETENTION  # a product may change its grid when those on the old one count no more
    store.append(sequence(1, end=later, grid=OTHER, seed=2))
    expected = {SeriesKey("RY", SMALL.key), SeriesKey("YW", SMALL.key), SeriesKey("RY", OTHER.key)}
    assert set(store.products()) == expected
    np.testing.assert_array_equal(store.latest("RY", OTHER.key, 1).rain_rate, sequence(1, grid=OTHER, seed=2).rain_rate)


def test_what_the_feed_brought_within_an_hour_of_its_last_frame_is_its_own(
    store: EncodedHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_500_000_000.0

    def mark(minutes: int, product: str) -> set[str]:
        monkeypatch.setattr(store, "now", lambda: now + 60 * minutes)
        store.mark_fed(SeriesKey(product, SMALL.key))
        return {series.product for series in store.fed()}

    assert store.fed() == set()
    assert mark(0, "RY") == {"RY"}
    assert mark(30, "YW") == {"RY", "YW"}
    assert mark(61, "YW") == {"YW"}  # another product is followed now
    monkeypatch.setattr(store, "now", lambda: now + 1e6)
    assert store.fed() == {SeriesKey("YW", SMALL.key)}  # a feed that stands still is still the only one
    assert mark(-500, "RY") == {"RY"}  # what a wrong clock marked is gone with it
    for number in range(2 * MOST_SERIES):
        found = mark(0, f"P{number}")
    assert len(found) == MOST_SERIES
    assert f"P{2 * MOST_SERIES - 1}" in found


def test_a_withdrawn_frame_is_gone(store: EncodedHistory) -> None:
    store.append(sequence(3, end=END))
    assert store.withdraw("RY", END)
    assert not store.withdraw("RY", END)
    assert store.times("RY", SMALL.key)[-1] == END - timedelta(minutes=5)


def test_a_product_without_frames_is_no_longer_listed(store: EncodedHistory) -> None:
    store.append(sequence(1, end=END))
    assert store.withdraw("RY", END)
    assert store.products() == []
    with pytest.raises(UnknownProduct):
        store.latest("RY", SMALL.key, 1)


def test_retention_counts_from_the_newest_frame_not_from_now(store: EncodedHistory) -> None:
    store.append(sequence(12, end=END))  # of 2017
    assert len(store.times("RY", SMALL.key)) == 12
    store.append(sequence(2, end=END + timedelta(minutes=10)))
    times = store.times("RY", SMALL.key)
    assert len(times) == 12
    assert times[0] == END - timedelta(minutes=45)


def test_a_frame_that_would_be_dropped_at_once_is_refused(store: EncodedHistory) -> None:
    store.append(sequence(1, end=END))
    with pytest.raises(InvalidRequest, match="60 minutes are kept"):
        store.append(sequence(1, end=END - RETENTION))
    assert store.times("RY", SMALL.key) == [END]


def test_frames_need_a_product(store: EncodedHistory) -> None:
    with pytest.raises(InvalidRequest, match="product"):
        store.append(sequence(1, product=""))
    assert store.products() == []


def test_the_number_of_series_is_bounded(store: EncodedHistory) -> None:
    for number in range(MOST_SERIES):
        store.append(sequence(1, end=END, product=f"P{number}"))
    with pytest.raises(InvalidRequest, match=f"at most {MOST_SERIES}"):
        store.append(sequence(1, end=END, product="one-more"))
    store.append(sequence(1, end=END + timedelta(minutes=5), product="P0"))
    assert len(store.products()) == MOST_SERIES


def test_absurd_but_finite_rain_survives(store: EncodedHistory) -> None:
    frames = sequence(1, end=END)
    frames = replace(frames, rain_rate=np.where(np.isnan(frames.rain_rate), np.nan, 900).astype(np.float32))
    store.append(frames)
    np.testing.assert_allclose(store.latest("RY", SMALL.key, 1).rain_rate, frames.rain_rate, rtol=1e-5)


def test_the_grid_must_be_named_where_there_are_two() -> None:
    known = [SeriesKey("RY", "radolan"), SeriesKey("RY", "de1200"), SeriesKey("YW", "radklim")]
    assert choose_series(known, "YW", None) == SeriesKey("YW", "radklim")
    assert choose_series(known, "RY", "de1200") == SeriesKey("RY", "de1200")
    with pytest.raises(InvalidRequest, match="radolan, de1200"):
        choose_series(known, "RY", None)
    with pytest.raises(UnknownProduct):
        choose_series(known, "RY", "radklim")


def test_gaps_are_the_missing_times() -> None:
    times = [END, END + timedelta(minutes=5), END + timedelta(minutes=20)]
    assert gaps(times, 5) == [END + timedelta(minutes=10), END + timedelta(minutes=15)]
    assert gaps(times[:1], 5) == []


def stored(store: EncodedHistory, frames: FrameSequence, *, at: float | None = None) -> list[StoredFrame]:
    """Frames as they would be stored now, or at that time."""
    return stamped(encode(frames), store.now() if at is None else at)


def test_a_copy_of_a_withdrawn_frame_does_not_come_back(store: EncodedHistory) -> None:
    copies = stored(store, sequence(3, end=END))
    store.put(SERIES, copies)
    assert store.withdraw("RY", END)
    assert set(store.withdrawn(SERIES)) == {END}
    store.restore(SERIES, copies)
    assert store.times("RY", SMALL.key) == [END - timedelta(minutes=10), END - timedelta(minutes=5)]


def test_a_frame_posted_after_the_withdrawal_is_another_one(store: EncodedHistory) -> None:
    store.append(sequence(1, end=END))
    store.withdraw("RY", END)
    at = store.withdrawn(SERIES)[END]
    store.append(sequence(1, end=END, seed=3))
    assert store.times("RY", SMALL.key) == [END]
    assert store.withdrawn(SERIES) == {}
    assert not store.bury(SERIES, END, at)  # another replica tells of the withdrawal only now
    np.testing.assert_array_equal(store.latest("RY", SMALL.key, 1).rain_rate, sequence(1, end=END, seed=3).rain_rate)
    assert store.withdrawn(SERIES) == {}


def test_a_withdrawal_told_late_takes_the_copy_that_came_back(store: EncodedHistory) -> None:
    copies = stored(store, sequence(2, end=END))
    at = store.now()
    store.restore(SERIES, copies)
    assert store.bury(SERIES, END, at)
    assert store.times("RY", SMALL.key) == [END - timedelta(minutes=5)]
    store.restore(SERIES, copies)
    assert store.times("RY", SMALL.key) == [END - timedelta(minutes=5)]
    assert not store.bury(SERIES, END, at)


def test_restoring_fills_gaps_and_overwrites_nothing(store: EncodedHistory) -> None:
    store.append(sequence(1, end=END, seed=8))
    store.restore(SERIES, stored(store, sequence(3, end=END)))
    assert len(store.times("RY", SMALL.key)) == 3
    np.testing.assert_array_equal(store.latest("RY", SMALL.key, 1).rain_rate, sequence(1, end=END, seed=8).rain_rate)
    store.restore(SERIES, [])
    assert len(store.times("RY", SMALL.key)) == 3


def test_withdrawals_are_forgotten_with_the_retention_and_unknown_frames_leave_none(store: EncodedHistory) -> None:
    store.append(sequence(3, end=END))
    assert not store.withdraw("RY", END + timedelta(minutes=5))
    assert store.withdrawn(SERIES) == {}
    store.withdraw("RY", END)
    before = store.epoch()
    store.append(sequence(1, end=END + RETENTION - timedelta(minutes=5)))
    assert set(store.withdrawn(SERIES)) == {END}
    store.append(sequence(1, end=END + RETENTION))
    assert store.withdrawn(SERIES) == {}
    assert store.epoch() == before


def test_adding_frames_reads_no_data_of_stored_ones(redis_server: RedisServer) -> None:
    store, grid = RedisHistory(connect(redis_server.url), RETENTION), Grid("wide", (300, 300), 1.0)
    size = len(encode(sequence(1, grid=grid))[0].data)
    store.append(sequence(3, end=END, grid=grid))
    with Redis(port=redis_server.port) as redis:
        before = redis.info("stats")["total_net_output_bytes"]
        store.append(sequence(1, end=END + timedelta(minutes=5), grid=grid), "key:a")
        assert redis.info("stats")["total_net_output_bytes"] - before < size / 2
