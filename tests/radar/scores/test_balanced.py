from __future__ import annotations

import math

import numpy as np
import pytest

from radar.scores.balanced import balanced_error_sum, balanced_weight
from radar.scores.pixels import ErrorSum, mae, mse
from radar.sequence import Float32

NAN = float("nan")


def numbers(*values: float) -> Float32:
    return np.array(values, np.float32)


def test_weights_step_up_at_their_limits() -> None:
    rates = numbers(0, 1.99, 2, 5, 9.9, 10, 30, 100)
    assert balanced_weight(rates).tolist() == [1, 1, 2, 5, 5, 10, 30, 30]


def test_hand_worked_errors() -> None:
    # 0.1 too low where it rains 1 mm/h, 0.2 too high where it rains 12: 1 x 0.1 + 10 x 0.2 over two pixels
    sums = balanced_error_sum(numbers(0.2, 0.7), numbers(0.3, 0.5), balanced_weight(numbers(1, 12)))
    assert mae(sums) == pytest.approx(2.1 / 2)
    assert mse(sums) == pytest.approx((0.01 + 10 * 0.04) / 2)


def test_missing_pixels_do_not_count_and_none_have_no_error() -> None:
    seen = numbers(0.3, NAN, 0.5)
    weight = balanced_weight(numbers(1, NAN, 12))
    assert balanced_error_sum(numbers(0.2, 0.7, NAN), seen, weight).count == 1
    assert math.isnan(mae(balanced_error_sum(seen * np.float32(NAN), seen, weight)))


def test_adding_sums_is_scoring_everything_at_once() -> None:
    rain = np.random.default_rng(0).gamma(0.5, 8, (2, 40)).astype(np.float32)
    said, seen = rain / rain.max()
    weight = balanced_weight(rain[1])
    halves = (balanced_error_sum(said[part], seen[part], weight[part]) for part in (slice(0, 15), slice(15, 40)))
    total = sum(halves, ErrorSum())
    assert mse(total) == pytest.approx(mse(balanced_error_sum(said, seen, weight)))
