"""S-PROG: what it keeps (area, mean, distribution, dryness, gaps) and what it gives up (detail that does not last)."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from radar.extrapolation.sprog import Matching, course, decibels, rates, sprog
from radar.rain import WET_FROM
from radar.sequence import Float32

BOTH: list[Matching] = ["mean", "cdf"]


def showers(frames: int = 3, size: int = 128, correlation: float = 0.9, seed: int = 0) -> Float32:
    """Large areas that last, with small cells that change from frame to frame: (T, H, W) in mm/h."""
    rng = np.random.default_rng(seed)

    def noise(sigma: float) -> Float32:
        blurred = cv2.GaussianBlur(rng.normal(size=(size, size)), (0, 0), sigma)
        return np.asarray(blurred / blurred.std(), np.float32)

    lasting, cells = noise(16), noise(2)
    out = []
    for _ in range(frames):
        out.append(rates(np.float32(8) * lasting + np.float32(4) * cells - np.float32(6)))
        cells = np.float32(correlation) * cells + np.float32(np.sqrt(1 - correlation**2)) * noise(2)
    rain = np.stack(out)
    return np.where(rain < WET_FROM, np.float32(0), rain)


def forecast(rain_rate: Float32, matching: Matching, steps: int = 6) -> Float32:
    """Rain that stays where it is."""
    return np.stack(list(sprog(rain_rate, np.zeros((2, *rain_rate.shape[1:]), np.float32), steps, matching)))


@pytest.mark.parametrize("matching", BOTH)
def test_as_many_pixels_stay_wet_as_are_wet_now(matching: Matching) -> None:
    rain = showers()
    wet = (forecast(rain, matching) >= WET_FROM).sum(axis=(1, 2))
    np.testing.assert_allclose(wet, (rain[-1] >= WET_FROM).sum(), rtol=0.002)


def test_matched_in_the_mean_wet_pixels_keep_their_mean_in_decibels() -> None:
    rain = showers()
    expected = decibels(rain[-1][rain[-1] >= WET_FROM]).mean()
    for frame in forecast(rain, "mean"):
        assert decibels(frame[frame >= WET_FROM]).mean() == pytest.approx(expected, abs=0.3)  # some rise to 0.1 mm/h


def test_matched_in_distribution_the_rates_are_those_of_now() -> None:
    rain = showers()
    for frame in forecast(rain, "cdf"):
        np.testing.assert_allclose(np.sort(frame.ravel()), np.sort(rain[-1].ravel()), rtol=0.01, atol=0.02)


def test_detail_is_given_up_as_fast_as_it_changes_and_large_areas_are_kept() -> None:
    lasting, changing = (np.stack(list(course(decibels(showers(correlation=c))).fields(6))) for c in (0.98, 0.3))

    def detail(field: Float32) -> float:
        return float((field - cv2.GaussianBlur(field, (0, 0), 6)).std())

    assert detail(changing[-1]) < 0.5 * detail(lasting[-1])
    assert detail(changing[-1]) < 0.7 * detail(changing[0])
    newest = decibels(showers(correlation=0.3)[-1])
    kept = np.corrcoef(cv2.GaussianBlur(newest, (0, 0), 12).ravel(), changing[-1].ravel())[0, 1]
    assert kept > 0.85


def test_a_field_that_does_not_change_goes_on_unchanged() -> None:
    rain = showers(correlation=1.0)
    for frame in course(decibels(rain)).fields(4):
        np.testing.assert_allclose(frame, decibels(rain[-1]), atol=0.15)


@pytest.mark.parametrize("matching", BOTH)
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.2, 50.0])
def test_the_same_rain_everywhere_stays_the_same(rate: float, matching: Matching) -> None:
    frames = forecast(np.full((3, 64, 48), rate, np.float32), matching)
    np.testing.assert_allclose(frames, rate, rtol=1e-4)
    assert rate or not frames.any()


@pytest.mark.parametrize("matching", BOTH)
def test_a_dry_frame_after_rain_stays_dry(matching: Matching) -> None:
    rain = showers()
    rain[-1] = 0
    assert not forecast(rain, matching).any()


@pytest.mark.parametrize("matching", BOTH)
def test_missing_pixels_stay_missing_and_no_rain_is_added_elsewhere(matching: Matching) -> None:
    rain = showers()
    rain[:, :40] = np.nan
    rain[0, :, :20] = np.nan  # only in an earlier frame
    frames = forecast(rain, matching)
    np.testing.assert_array_equal(np.isnan(frames), np.broadcast_to(np.isnan(rain[-1]), frames.shape))
    wet = (frames >= WET_FROM).sum(axis=(1, 2)) / (rain[-1] >= WET_FROM).sum()
    assert (wet < 1.002).all()
    assert (wet > 0.8).all()  # the rest is smoothed into the pixels without data


@pytest.mark.parametrize("matching", BOTH)
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (17, 31)])
def test_frames_of_any_shape_and_one_wet_pixel(shape: tuple[int, int], matching: Matching) -> None:
    rain = np.zeros((3, *shape), np.float32)
    rain[:, 0, 0] = 5
    frames = forecast(rain, matching, 2)
    assert np.isfinite(frames).all()
    assert ((frames >= WET_FROM).sum(axis=(1, 2)) == 1).all()
    all_missing = np.full((3, *shape), np.nan, np.float32)
    assert np.isnan(forecast(all_missing, matching, 2)).all()


def test_decibels_and_rates_are_inverse_for_wet_pixels() -> None:
    rain = np.array([0.1, 0.12, 1, 100], np.float32)
    np.testing.assert_allclose(rates(decibels(rain)), rain, rtol=1e-5)
    np.testing.assert_array_equal(decibels(np.array([0, np.nan, 0.09], np.float32)), np.array([-15, np.nan, -15], "f4"))
    np.testing.assert_array_equal(rates(np.array([-15, np.nan], np.float32)), np.array([0, np.nan], np.float32))
