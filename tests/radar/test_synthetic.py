from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from radar.extrapolation.motion import motion_field
from radar.grid import KNOWN_GRIDS, Grid
from radar.sequence import FrameSequence
from radar.synthetic import Weather, random_weather, storm_sequence

GRID = Grid("test", (200, 240), 1.0)
END = datetime(2026, 7, 1, 12, tzinfo=UTC)


def storm(seed: int = 1, frames: int = 5, **weather: float | bool | tuple[float, float]) -> FrameSequence:
    return storm_sequence(GRID, frames, seed=seed, end_time=END, product="RY", weather=Weather(**weather))  # type: ignore[arg-type]


def test_same_seed_same_storm_other_seed_another() -> None:
    np.testing.assert_array_equal(storm(1).rain_rate, storm(1).rain_rate)
    assert not np.array_equal(storm(1).rain_rate, storm(2).rain_rate, equal_nan=True)


def test_times_end_where_asked() -> None:
    sequence = storm(frames=13)
    assert sequence.valid_times[-1] == END
    assert sequence.valid_times[0] == END - timedelta(hours=1)


@pytest.mark.parametrize("wet", [0.05, 0.3])
def test_wet_fraction_is_about_what_was_asked(wet: float) -> None:
    rain = storm(wet_fraction=wet).rain_rate
    assert (rain[np.isfinite(rain)] > 0).mean() == pytest.approx(wet, abs=0.6 * wet)


def test_a_dry_case_is_dry_but_not_missing() -> None:
    rain = storm(wet_fraction=0.0).rain_rate
    assert np.nanmax(rain) == 0
    assert np.isfinite(rain).any()
    assert np.isnan(rain).any()


def test_a_missing_sector_takes_data_away() -> None:
    assert np.isnan(storm(missing_sector=True).rain_rate).sum() > np.isnan(storm().rain_rate).sum()


def test_the_wind_moves_the_rain() -> None:
    motion = motion_field(storm(wet_fraction=0.4, wind_km_per_hour=(36.0, -24.0), lifetime_minutes=2000.0).rain_rate)
    assert np.median(motion[0]) == pytest.approx(3, abs=0.7)
    assert np.median(motion[1]) == pytest.approx(-2, abs=0.7)


def test_growth_and_decay() -> None:
    growing = storm(frames=13, growth_per_hour=0.8, lifetime_minutes=2000.0).rain_rate
    fading = storm(frames=13, growth_per_hour=-0.8, lifetime_minutes=2000.0).rain_rate
    assert np.nanmean(growing[-1]) > 1.2 * np.nanmean(growing[0])
    assert np.nanmean(fading[-1]) < 0.6 * np.nanmean(fading[0])


def test_random_weather_has_dry_cases_and_missing_sectors() -> None:
    many = [random_weather(seed) for seed in range(60)]
    assert any(weather.wet_fraction == 0 for weather in many)
    assert any(weather.missing_sector for weather in many)


def test_storms_fit_any_known_grid() -> None:
    for grid in KNOWN_GRIDS.values():
        assert storm_sequence(grid, 1, seed=0, end_time=END).rain_rate.shape == (1, *grid.shape)
