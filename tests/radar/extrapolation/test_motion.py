from __future__ import annotations

import runpy
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from radar.extrapolation.motion import Smoothing, carry_each, extrapolate, hold_inflow, motion_field, smooth
from radar.grid import Grid
from radar.sequence import Float32
from radar.synthetic import Weather, storm_sequence
from tests.real_events import placed_events


def moving_storm(u: int, v: int, frames: int = 5, size: int = 160) -> Float32:
    """A storm that is the same in every frame but for its place: u pixels east and v south per frame."""
    grid = Grid("test", (size + 80, size + 80), 1.0)
    weather = Weather(wet_fraction=0.3, wind_km_per_hour=(0.0, 0.0))
    storm = storm_sequence(grid, 1, seed=3, end_time=datetime(2026, 1, 1, tzinfo=UTC), weather=weather)
    field = np.nan_to_num(storm.rain_rate[0])
    return np.stack([np.roll(field, (v * k, u * k), (0, 1))[40:-40, 40:-40] for k in range(frames)])


def flow(u: float, v: float, size: int = 40) -> Float32:
    return np.stack([np.full((size, size), u), np.full((size, size), v)]).astype(np.float32)


@pytest.mark.parametrize(("u", "v"), [(3, 0), (-2, 4), (0, -5)])
def test_motion_of_a_moved_storm_is_found(u: int, v: int) -> None:
    motion = motion_field(moving_storm(u, v))
    assert motion.shape == (2, 160, 160)
    assert np.median(motion[0]) == pytest.approx(u, abs=0.3)
    assert np.median(motion[1]) == pytest.approx(v, abs=0.3)


def test_a_moved_storm_moves_its_forecast() -> None:
    storm = moving_storm(4, -2, frames=9)
    forecast = extrapolate(storm[4], motion_field(storm[:5]), 4)
    persistence = np.abs(storm[4][20:-20, 20:-20] - storm[8][20:-20, 20:-20]).mean()
    assert np.nanmean(np.abs(forecast[3] - storm[8])[20:-20, 20:-20]) < 0.3 * persistence


@pytest.mark.parametrize("rain", [np.zeros((4, 64, 64)), np.full((4, 64, 64), np.nan), np.ones((1, 64, 64))])
def test_dry_missing_or_single_frames_have_no_motion(rain: Float32) -> None:
    assert not motion_field(rain.astype(np.float32)).any()


def test_motion_of_frames_smaller_than_the_search_is_zero() -> None:
    assert motion_field(np.ones((3, 7, 9), np.float32)).shape == (2, 7, 9)


def test_zero_flow_is_the_identity_to_the_bit() -> None:
    frame = moving_storm(0, 0, 1, 40)[0]
    frame[3:9, 5:11] = np.nan
    np.testing.assert_array_equal(extrapolate(frame, flow(0, 0), 3), np.stack([frame] * 3))


def test_uniform_flow_shifts_whole_pixels_and_leaves_no_data_behind() -> None:
    frame = moving_storm(0, 0, 1, 40)[0]
    forecast = extrapolate(frame, flow(2, -1), 2)
    np.testing.assert_allclose(forecast[1][:-2, 4:], frame[2:, :-4], atol=1e-4)
    assert np.isnan(forecast[1][:, :4]).all()  # where the rain would come from outside
    assert np.isnan(forecast[1][-2:]).all()


def test_forward_and_backward_cancel() -> None:
    frame = moving_storm(0, 0, 1, 40)[0]
    out = carry_each([frame], flow(3, 1))
    back = carry_each(out, flow(3, 1), direction=-1)[0]
    np.testing.assert_allclose(back[:-1, :-3], frame[:-1, :-3], atol=1e-4)


def test_missing_data_never_turns_into_dry() -> None:
    frame = np.full((40, 40), 5, np.float32)
    frame[:, 20:] = np.nan
    moved = extrapolate(frame, flow(1.5, 0), 4)
    assert set(np.unique(moved[np.isfinite(moved)])) == {np.float32(5)}


def test_what_flows_in_from_no_data_is_what_was_last_carried_there() -> None:
    last = np.tile(np.arange(8, dtype=np.float32), (4, 1))
    last[0, 0] = np.nan  # never known, and so never forecast
    moved = extrapolate(last, flow(2, 0, 8)[:, :4], 3)  # two pixels to the east in each step
    assert np.isnan(moved[:, 2, 0]).all()
    held = np.stack(list(hold_inflow(moved, last)))
    np.testing.assert_array_equal(np.isnan(held), np.tile(np.isnan(last), (3, 1, 1)))
    np.testing.assert_array_equal(held[:, 2, 0], [0, 0, 0])  # nothing was carried to the edge itself: it keeps its own
    np.testing.assert_array_equal(held[:, 2, 3], [1, 1, 1])  # 1 came in the first step, and then nothing known
    np.testing.assert_array_equal(held[:, 2, 7], [5, 3, 1])


def test_smoothing_keeps_the_amount_and_does_not_spread_missing_data() -> None:
    frame = np.zeros((60, 60), np.float32)
    frame[30, 30] = 100
    frame[5:9, 5:9] = np.nan
    smoothed = smooth(frame, 2.0)
    assert np.nansum(smoothed) == pytest.approx(100, rel=1e-3)
    assert np.isnan(smoothed).sum() == 16
    np.testing.assert_allclose(smooth(np.full((30, 30), 7, np.float32), 3.0), 7, rtol=1e-5)


def test_smoothing_law() -> None:
    assert Smoothing().sigma_km(60) == pytest.approx(6.0)
    assert Smoothing().sigma_km(15) == pytest.approx(6.0 * 0.25**0.75)


def test_later_leads_are_smoother() -> None:
    frame = moving_storm(0, 0, 1)[0]
    leads = np.stack([Smoothing().apply(frame, lead, 1.0) for lead in range(5, 35, 5)])
    assert leads.shape == (6, *frame.shape)
    assert (np.diff(leads.max(axis=(1, 2))) < 0).all()


# Mean over the nine real events, by benchmarks/motion.py: see docs/lab/motion.md. There, only pixels count that pysteps
# forecasts as well; without it ours moves by less than 0.001.
PYSTEPS_MEAN_CSI = 0.429


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_extrapolation_keeps_within_two_per_cent_of_lucas_kanade(real_data: Path) -> None:
    benchmark = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "motion.py"))
    events = placed_events(real_data)
    mean_csi = np.mean([benchmark["event_row"](path, {"ours": benchmark["ours"]}, 6, 1.0)[0] for path in events])
    assert mean_csi >= 0.98 * PYSTEPS_MEAN_CSI


def test_the_motion_of_a_national_composite_is_found_quickly() -> None:
    frames = moving_storm(3, 1, frames=5, size=900)
    begin = time.process_time()
    motion_field(frames)
    # Processor seconds, of all threads together: 0.3 on a quiet core; a machine with other work to do takes longer.
    assert time.process_time() - begin < 2.0
