from __future__ import annotations

import math

import numpy as np
import pytest

from radar.scores.fss import FractionSum, fraction_sum, fss, scale_pixels
from radar.sequence import Float32


def one_wet(row: int, column: int, size: int = 5) -> Float32:
    field = np.zeros((size, size), np.float32)
    field[row, column] = 1
    return field


def rain(seed: int, size: int = 30) -> Float32:
    return np.random.default_rng(seed).gamma(0.5, 2, (size, size)).astype(np.float32)


def test_hand_worked_example() -> None:
    # Wet two pixels apart. 3 x 3 around every pixel: 9 neighbourhoods each hold a ninth, 3 of them in common.
    # Differences: 6 + 6 of (1/9)^2; fractions squared: 9 + 9 of them.
    assert fss(fraction_sum(one_wet(2, 1), one_wet(2, 3), 1.0, 3)) == pytest.approx(1 - 12 / 18)
    assert fss(fraction_sum(one_wet(2, 1), one_wet(2, 3), 1.0, 1)) == 0


def test_sums_are_those_of_fractions() -> None:
    sums = fraction_sum(one_wet(2, 1), one_wet(2, 3), 1.0, 3)
    assert [sums.difference, sums.reference] == pytest.approx([12 / 81, 18 / 81])


def test_a_perfect_forecast_scores_one_and_wider_neighbourhoods_forgive_more() -> None:
    assert fss(fraction_sum(rain(1), rain(1), 1.0, 5)) == 1
    shifted = np.roll(rain(1), 2, 1)
    scores = [fss(fraction_sum(shifted, rain(1), 1.0, pixels)) for pixels in (1, 3, 9, 21)]
    assert scores == sorted(scores)


def test_nothing_forecast_or_observed_is_undefined() -> None:
    dry = np.zeros((9, 9), np.float32)
    assert math.isnan(fss(fraction_sum(dry, dry, 1.0, 3)))
    assert math.isnan(fss(FractionSum()))
    assert fss(fraction_sum(dry, one_wet(4, 4, 9), 1.0, 3)) == 0


def test_the_edge_of_the_data_is_the_edge_of_the_frame() -> None:
    said, seen = (np.pad(rain(seed), 7, constant_values=np.nan) for seed in (1, 2))
    assert fraction_sum(said, seen, 1.0, 6) == fraction_sum(rain(1), rain(2), 1.0, 6)


def test_what_one_side_does_not_know_the_other_may_not_claim() -> None:
    said = rain(1)
    said[:, :10] = np.nan
    seen, wetter = rain(2), rain(2)
    wetter[:, :10] = 50
    assert fraction_sum(said, seen, 1.0, 5) == fraction_sum(said, wetter, 1.0, 5)


def test_adding_sums_is_scoring_all_frames() -> None:
    pairs = [(rain(1), rain(2)), (rain(3), rain(4))]
    total = sum((fraction_sum(said, seen, 1.0, 4) for said, seen in pairs), FractionSum())
    assert total.difference == pytest.approx(sum(fraction_sum(*pair, 1.0, 4).difference for pair in pairs))
    assert 0 < fss(total) < 1


@pytest.mark.parametrize(
    ("scale_km", "size_km", "pixels"), [(10, 1, 10), (10, 0.5, 20), (0.1, 1, 1), (10, 0.99967, 10)]
)
def test_scales_are_in_kilometres(scale_km: float, size_km: float, pixels: int) -> None:
    assert scale_pixels(scale_km, size_km) == pixels


def test_a_neighbourhood_may_be_wider_than_the_frame() -> None:
    assert fss(fraction_sum(one_wet(0, 0), one_wet(4, 4), 1.0, 11)) == 1
