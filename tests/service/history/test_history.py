"""What is still known while Redis is away, and that it comes back whole."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from radar.errors import StoreUnavailable
from service.breaker import PAUSE_SECONDS
from service.history.codec import series_of
from service.history.history import History
from service.history.redis.store import RedisHistory
from service.history.store import MemoryHistory
from service.redis.client import connect
from tests.service.conftest import RedisServer, free_port, sequence

END = datetime(2017, 8, 16, 1, 15, tzinfo=UTC)
RETENTION = timedelta(hours=1)
SERIES = series_of(sequence())


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def history_on(url: str, clock: Clock | None = None) -> History:
    return History(RedisHistory(connect(url), RETENTION), MemoryHistory(RETENTION), clock or Clock())


def test_a_store_that_answers_is_not_degraded(redis_server: RedisServer) -> None:
    history = history_on(redis_server.url)
    history.append(sequence(5, end=END))
    assert history.latest(SERIES, 5).degraded is None
    assert history.answers()


def test_the_last_good_frames_are_served_labelled_while_redis_is_down(redis_server: RedisServer) -> None:
    history = history_on(redis_server.url)
    frames = sequence(5, end=END)
    history.append(frames)
    redis_server.kill()
    reading = history.latest(SERIES, 5)
    np.testing.assert_array_equal(reading.value.rain_rate, frames.rain_rate)
    assert reading.degraded is not None
    assert reading.degraded.startswith("history store unavailable")
    assert history.times(SERIES).degraded == reading.degraded
    assert not history.answers()


def test_frames_of_another_replica_are_remembered_once_read(redis_server: RedisServer) -> None:
    ours, theirs = history_on(redis_server.url), history_on(redis_server.url)
    theirs.append(sequence(5, end=END))
    ours.latest(SERIES, 5)
    redis_server.kill()
    assert len(ours.latest(SERIES, 5).value) == 5


def test_a_frame_that_another_replica_withdrew_is_forgotten_once_read(redis_server: RedisServer) -> None:
    ours, theirs = history_on(redis_server.url), history_on(redis_server.url)
    theirs.append(sequence(6, end=END))
    ours.latest(SERIES, 6)
    theirs.withdraw("RY", END)
    ours.latest(SERIES, 5)
    redis_server.kill()
    assert ours.times(SERIES).value[-1] == END - timedelta(minutes=5)
    assert ours.latest(SERIES, 5).value.valid_times[-1] == END - timedelta(minutes=5)


def test_nothing_is_accepted_while_redis_is_down(redis_server: RedisServer) -> None:
    history = history_on(redis_server.url)
    history.append(sequence(5, end=END))
    redis_server.kill()
    with pytest.raises(StoreUnavailable):
        history.append(sequence(1, end=END + timedelta(minutes=5)))
    with pytest.raises(StoreUnavailable):
        history.withdraw("RY", END)
    assert history.times(SERIES).value[-1] == END


def test_a_redis_that_comes_back_empty_is_filled_again(redis_server: RedisServer) -> None:
    clock = Clock()
    history = history_on(redis_server.url, clock)
    frames = sequence(5, end=END)
    history.append(frames)
    redis_server.kill()
    assert history.latest(SERIES, 5).degraded
    redis_server.start()
    clock.seconds += PAUSE_SECONDS + 1
    reading = history.latest(SERIES, 5)
    assert reading.degraded is None
    np.testing.assert_array_equal(reading.value.rain_rate, frames.rain_rate)
    assert len(RedisHistory(connect(redis_server.url), RETENTION).times(*SERIES)) == 5


def test_filling_again_does_not_undo_what_others_wrote(redis_server: RedisServer) -> None:
    clock = Clock()
    history = history_on(redis_server.url, clock)
    history.append(sequence(5, end=END))
    redis_server.kill()
    redis_server.start()
    corrected = sequence(1, end=END, seed=7)
    history_on(redis_server.url).append(corrected)
    clock.seconds += PAUSE_SECONDS + 1
    reading = history.latest(SERIES, 5)
    np.testing.assert_array_equal(reading.value.rain_rate[-1], corrected.rain_rate[-1])


def emptied(redis_server: RedisServer) -> None:
    """A Redis that starts again without its data."""
    redis_server.kill()
    redis_server.start()


@pytest.mark.parametrize("who", ["who fed", "another replica"])
def test_a_redis_that_comes_back_empty_learns_again_what_the_feed_brings(redis_server: RedisServer, who: str) -> None:
    ours, theirs = history_on(redis_server.url), history_on(redis_server.url)
    ours.append(sequence(3, end=END))
    ours.mark_fed(SERIES)
    assert theirs.fed() == {SERIES}
    redis_server.kill()
    assert theirs.fed() == {SERIES}
    redis_server.start()
    knows = history_on(redis_server.url)
    assert knows.fed() == set()
    back = ours if who == "who fed" else history_on(redis_server.url, Clock())
    if back is not ours:
        back.append(sequence(1, end=END))
        back.mark_fed(SERIES)  # the feed's next frame
    assert back.fed() == knows.fed() == {SERIES}


BEFORE_END = [END - timedelta(minutes=10), END - timedelta(minutes=5)]


@pytest.mark.parametrize("first", ["who withdrew", "who did not know"])
def test_a_withdrawn_frame_stays_away_whoever_fills_an_emptied_redis(redis_server: RedisServer, first: str) -> None:
    ours, theirs = history_on(redis_server.url), history_on(redis_server.url)
    ours.append(sequence(3, end=END))
    theirs.latest(SERIES, 3)
    assert ours.withdraw("RY", END)
    emptied(redis_server)  # before the other has read anything again
    for history in (ours, theirs) if first == "who withdrew" else (theirs, ours):
        history.times(SERIES)
    for history in (ours, theirs, ours):
        assert history.times(SERIES).value == BEFORE_END
    assert theirs.latest(SERIES, 2).value.valid_times == tuple(BEFORE_END)
    redis_server.kill()
    assert theirs.times(SERIES).value == BEFORE_END


def test_a_withdrawal_is_known_to_whoever_asked_anything_since(redis_server: RedisServer) -> None:
    ours, theirs = history_on(redis_server.url), history_on(redis_server.url)
    ours.append(sequence(3, end=END))
    theirs.latest(SERIES, 3)
    ours.withdraw("RY", END)
    assert theirs.answers()  # as /readyz asks
    emptied(redis_server)  # and the one who withdrew is gone
    assert theirs.times(SERIES).value == BEFORE_END


def test_a_frame_posted_again_after_its_withdrawal_survives_an_emptied_redis(redis_server: RedisServer) -> None:
    ours, theirs = history_on(redis_server.url), history_on(redis_server.url)
    ours.append(sequence(3, end=END))
    theirs.latest(SERIES, 3)
    ours.withdraw("RY", END)
    again = sequence(1, end=END, seed=5)
    theirs.append(again)
    emptied(redis_server)
    for history in (ours, theirs, ours, theirs):
        history.times(SERIES)
    np.testing.assert_array_equal(ours.latest(SERIES, 1).value.rain_rate, again.rain_rate)
    assert len(ours.times(SERIES).value) == 3


def test_without_memory_a_dead_redis_is_an_error_from_the_start() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    with pytest.raises(StoreUnavailable, match="Redis"):
        history_on(url).products()
    with pytest.raises(StoreUnavailable, match="Redis"):
        history_on(url).append(sequence(1, end=END))


def test_a_paused_redis_costs_seconds_once_and_then_nothing(redis_server: RedisServer) -> None:
    history = history_on(redis_server.url)
    history.append(sequence(5, end=END))
    redis_server.pause()
    assert history.latest(SERIES, 5).degraded
    before = time.monotonic()
    for _ in range(20):
        assert history.latest(SERIES, 5).degraded
    assert time.monotonic() - before < 2
    redis_server.resume()


def test_no_password_is_in_the_error() -> None:
    history = history_on(f"redis://:secret@127.0.0.1:{free_port()}/0")
    with pytest.raises(StoreUnavailable) as raised:
        history.products()
    assert "secret" not in str(raised.value)


def test_what_is_wrong_with_the_store_is_logged_once_and_its_end_too(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    history = history_on(redis_server.url, clock)
    history.append(sequence(1, end=END))
    redis_server.kill()
    for _ in range(3):
        assert history.times(SERIES).degraded
        clock.seconds += PAUSE_SECONDS
    redis_server.start()
    assert history.times(SERIES).degraded is None
    failed, well = [record.message for record in caplog.records if "history store" in record.message]
    assert "Connection refused" in failed
    assert "answers again" in well
