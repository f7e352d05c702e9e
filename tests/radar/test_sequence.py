from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from radar.errors import IncompleteHistory, InvalidRain
from radar.grid import Grid
from radar.sequence import FrameSequence, check_spacing, iso, times_after

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
GRID = Grid("mine", (4, 6), 1.0)


def sequence(rain: np.ndarray, times: tuple[datetime, ...], reference: datetime | None = None) -> FrameSequence:
    return FrameSequence(rain, times, GRID, 5, "RY", reference)


def test_frames_follow_each_other() -> None:
    times = times_after(NOON, 3, 5)
    assert [iso(time) for time in times] == ["2026-06-01T12:05:00Z", "2026-06-01T12:10:00Z", "2026-06-01T12:15:00Z"]
    frames = sequence(np.arange(72, dtype=np.float32).reshape(3, 4, 6), times)
    assert len(frames) == 3
    assert frames.lead_minutes == ()
    newest = frames.last(2)
    assert newest.valid_times == times[1:]
    np.testing.assert_array_equal(newest.rain_rate, frames.rain_rate[1:])


def test_lead_minutes_count_from_the_reference_time() -> None:
    frames = sequence(np.zeros((3, 4, 6), np.float32), times_after(NOON, 3, 5), NOON)
    assert frames.lead_minutes == (5, 10, 15)


def test_times_are_told_in_utc() -> None:
    assert iso(datetime(2026, 6, 1, 14, tzinfo=timezone(timedelta(hours=2)))) == "2026-06-01T12:00:00Z"


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        ((0, 5, 15), "got 10 minutes between 2026-06-01T12:05:00Z and 2026-06-01T12:15:00Z; send the missing frames"),
        ((0, 5, 5), "got two frames for 2026-06-01T12:05:00Z; send each time once"),
        ((0, 10, 5), "got 10 minutes between 2026-06-01T12:00:00Z and 2026-06-01T12:10:00Z"),
        ((5, 0), "got unordered times 2026-06-01T12:05:00Z and 2026-06-01T12:00:00Z; order them, oldest first"),
        ((0, 6), "got 6 minutes between"),
    ],
)
def test_gaps_duplicates_and_disorder_are_named(minutes: tuple[int, ...], text: str) -> None:
    times = tuple(NOON + timedelta(minutes=m) for m in minutes)
    with pytest.raises(IncompleteHistory, match="^expected frames 5 minutes apart, " + text):
        sequence(np.zeros((len(times), 4, 6), np.float32), times)


def test_one_time_is_evenly_spaced() -> None:
    check_spacing((NOON,), 5)


@pytest.mark.parametrize("bad", [-0.12, np.inf, -np.inf])
def test_rain_is_neither_negative_nor_infinite(bad: float) -> None:
    rain = np.zeros((1, 4, 6), np.float32)
    rain[0, 2, 3] = bad
    with pytest.raises(InvalidRain, match="negative or infinite"):
        sequence(rain, (NOON,))


def test_missing_pixels_are_welcome() -> None:
    assert np.isnan(sequence(np.full((1, 4, 6), np.nan, np.float32), (NOON,)).rain_rate).all()


def test_wrong_shapes_types_and_nothing_at_all_are_refused() -> None:
    with pytest.raises(InvalidRain, match=r"\(1, 4, 6\) for 1 times on grid mine, got shape \(1, 6, 4\)"):
        sequence(np.zeros((1, 6, 4), np.float32), (NOON,))
    with pytest.raises(InvalidRain, match="float32"):
        sequence(np.zeros((1, 4, 6)), (NOON,))
    with pytest.raises(IncompleteHistory, match="at least one frame, got none"):
        sequence(np.zeros((0, 4, 6), np.float32), ())
