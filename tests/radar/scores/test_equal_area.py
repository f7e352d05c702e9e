"""CSI at equal area, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from radar.scores.comparison import Comparison, Field
from radar.scores.equal_area import EqualAreaSum, equal_area_csi, equal_area_sum

OBSERVED = np.array([[2.0, 2.0, 0.0, 0.0, 2.0, np.nan]], np.float32)


def test_the_highest_pixels_are_the_forecast_whatever_their_values() -> None:
    order = np.array([[0.3, 0.1, 0.2, 0.0, 0.0, 9.0]], np.float32)  # the last one has no observation
    sums = equal_area_sum(order, OBSERVED, 1.0, 2)
    assert sums == EqualAreaSum(1, 2, 3)
    assert equal_area_csi(sums) == pytest.approx(1 / 4)
    assert equal_area_sum(100 * order, OBSERVED, 1.0, 2) == sums


def test_equal_pixels_share_what_is_left_of_the_area() -> None:
    order = np.array([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]], np.float32)
    # one hit for sure, and one more pixel of the four others, of which two are wet
    assert equal_area_sum(order, OBSERVED, 1.0, 2) == EqualAreaSum(1.5, 2, 3)


def test_no_area_and_no_rain_is_undefined_and_too_much_area_is_all_pixels() -> None:
    order = np.zeros((1, 6), np.float32)
    assert math.isnan(equal_area_csi(equal_area_sum(order, np.zeros((1, 6), np.float32), 1.0, 0)))
    assert equal_area_csi(equal_area_sum(order, OBSERVED, 1.0, 0)) == 0
    assert equal_area_sum(order, OBSERVED, 1.0, 100) == EqualAreaSum(3, 5, 3)


def test_own_probabilities_rank_pixels_and_those_of_neighbourhoods_do_not() -> None:
    rain = Field(np.array([[3.0, 1.0]], np.float32))
    probability = {1.0: np.array([[0.2, 0.6]], np.float32)}
    neighbourhood = Comparison(rain, rain, 1.0, probability)
    assert np.argmax(neighbourhood.order(1.0)) == 0
    assert np.argmax(Comparison(rain, rain, 1.0, probability, distribution=True).order(1.0)) == 1
    equal = {1.0: np.array([[0.5, 0.5]], np.float32)}
    assert np.argmax(Comparison(rain, rain, 1.0, equal, distribution=True).order(1.0)) == 0
