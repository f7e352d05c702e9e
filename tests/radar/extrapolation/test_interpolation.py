"""The frame between two others: rain moves there, it does not fade over."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from radar.extrapolation.motion import halfway
from radar.grid import Grid
from radar.synthetic import storm_sequence

END = datetime(2024, 6, 1, 12, 0, tzinfo=UTC)
GRID = Grid("storm", (200, 220), 1.0)


def errors(before: np.ndarray, between: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Mean absolute errors in mm/h of the filled frame, and of fading one frame over into the other."""
    filled = halfway(before, after)
    known = np.isfinite(filled + between + before + after)
    faded = (before + after) / 2
    return tuple(float(np.abs(guess - between)[known].mean()) for guess in (filled, faded))  # type: ignore[return-value]


def test_a_storm_that_moves_and_changes_is_filled_better_than_by_fading_over() -> None:
    storm = storm_sequence(GRID, 3, seed=3, end_time=END, timestep_minutes=5, product="RY").rain_rate
    filled, faded = errors(*storm)
    assert filled < 0.85 * faded


def test_a_storm_that_only_moves_is_filled_far_better() -> None:
    storm = storm_sequence(GRID, 1, seed=3, end_time=END, timestep_minutes=5, product="RY").rain_rate[0]
    filled, faded = errors(*(np.roll(storm, (2 * k, 4 * k), (0, 1))[20:-20, 20:-20] for k in range(3)))
    assert filled < 0.35 * faded


def test_a_square_that_moves_eight_pixels_is_found_four_pixels_on() -> None:
    draw = np.random.default_rng(0)
    rain = np.zeros((96, 96), np.float32)
    rain[30:60, 20:50] = draw.uniform(2, 20, (30, 30))
    filled = halfway(rain, np.roll(rain, 8, axis=1))
    there = np.argwhere(filled > 1)
    assert abs(there[:, 1].mean() - (34.5 + 4)) < 1
    assert abs(there[:, 0].mean() - 44.5) < 1


def test_dry_stays_dry_and_missing_stays_missing() -> None:
    dry = np.zeros((40, 40), np.float32)
    dry[:, :10] = np.nan
    filled = halfway(dry, dry)
    assert np.isnan(filled[:, :10]).all()
    assert (filled[:, 10:] == 0).all()


def test_where_one_frame_has_no_data_the_other_is_taken() -> None:
    before, after = np.full((2, 40, 40), 2, np.float32)
    before[:20] = np.nan
    filled = halfway(before, after)
    assert (filled[:18] == 2).all()
    assert np.isfinite(filled).all()


def test_frames_too_small_for_a_motion_are_averaged() -> None:
    filled = halfway(np.full((4, 4), 1, np.float32), np.full((4, 4), 3, np.float32))
    np.testing.assert_array_equal(filled, 2)
    assert filled.dtype == np.float32
