"""Synthetic storms as a feed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from radar.archive.archive import Archive
from radar.errors import InvalidRequest, StoreUnavailable
from radar.sequence import FrameSequence
from service.feed import demo_feed
from service.feed.demo_feed import DemoFeed, feed_storms
from service.history.codec import SeriesKey
from service.history.redis.store import RedisHistory
from service.redis.client import connect
from service.settings import Settings
from tests.service.conftest import SMALL, RedisServer

NOON = datetime(2024, 6, 1, 12, 3, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Storms take a moment on a small one."""
    monkeypatch.setattr(demo_feed, "grid_named", lambda _: SMALL)


class Sink:
    """Keeps what it takes, or fails."""

    def __init__(self) -> None:
        self.times: list[datetime] = []
        self.fails = False

    def append(self, frames: FrameSequence) -> None:
        if self.fails:
            raise StoreUnavailable(expected="", got="", remedy="")
        self.times += list(frames.valid_times)


def test_it_begins_in_the_past_and_goes_on() -> None:
    now, sink = [NOON], Sink()
    feed = DemoFeed((sink,), 2.0, lambda: now[0])
    assert feed.catch_up() == 25
    assert (sink.times[0], sink.times[-1]) == (NOON.replace(hour=10, minute=0), NOON.replace(minute=0))
    assert feed.catch_up() == 0
    assert feed.seconds_to_next == 120
    now[0] += timedelta(minutes=2)
    assert feed.catch_up() == 1
    assert np.diff(np.array(sink.times)).max() == timedelta(minutes=5)


def test_frames_that_were_refused_come_again() -> None:
    now, sink = [NOON], Sink()
    feed = DemoFeed((sink,), 0.0, lambda: now[0])
    sink.fails = True
    with pytest.raises(StoreUnavailable):
        feed.catch_up()
    now[0] += timedelta(minutes=5)
    sink.fails = False
    assert feed.catch_up() == 2
    assert sink.times == [NOON.replace(minute=0), NOON.replace(minute=5)]


def test_redis_and_archive_are_fed_until_told_to_stop(redis_server: RedisServer, tmp_path: Path) -> None:
    settings = Settings(redis_url=redis_server.url, archive=tmp_path)
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return True

    feed_storms(settings, 1.0, lambda: NOON, wait)
    assert waits == [120.0]
    archive = Archive(tmp_path)
    ((product, grid),) = archive.products()
    assert product == "DEMO"
    assert RedisHistory(connect(redis_server.url), timedelta(hours=6)).fed() == {SeriesKey("DEMO", SMALL.key)}
    assert len(archive.times(product, grid, NOON - timedelta(hours=2), NOON)) == 13


def test_it_needs_a_redis() -> None:
    with pytest.raises(InvalidRequest, match="RAINCELL_DEMO=1"):
        feed_storms(Settings(redis_url=None), 1.0, lambda: NOON, lambda _: True)
