from __future__ import annotations

import math

import numpy as np
import pytest

from radar.scores.pixels import error_sum, mae
from radar.scores.probability import MeanSum, brier, brier_sum, crps, crps_sum

NAN = np.float32(np.nan)


def test_hand_worked_crps() -> None:
    # members 1 and 3 around 2: mean |x - y| = 1, mean |x - x'| over the four pairs = 1; 1 - 1 / 2
    ensemble = np.array([[3.0], [1.0]], np.float32)
    assert crps(crps_sum(ensemble, np.array([2.0], np.float32))) == pytest.approx(0.5)
    # the same seen from afar: 5 - 2 on average, less the same spread
    assert crps(crps_sum(ensemble, np.array([5.0], np.float32))) == pytest.approx(2.5)


def test_crps_of_one_member_is_its_absolute_error() -> None:
    said, seen = np.random.default_rng(0).gamma(0.5, 2, (2, 20, 20)).astype(np.float32)
    assert crps(crps_sum(said[None], seen)) == pytest.approx(mae(error_sum(said, seen)))


def test_hand_worked_brier() -> None:
    # 80 % said and it rained, 30 % said and it did not: (0.2^2 + 0.3^2) / 2; at the threshold counts as rain
    probability = np.array([0.8, 0.3, 0.5, NAN], np.float32)
    observed = np.array([1.0, 0.9, NAN, 4.0], np.float32)
    assert brier(brier_sum(probability, observed, 1.0)) == pytest.approx(0.065)


def test_missing_pixels_do_not_count() -> None:
    ensemble = np.array([[3.0, NAN, 1.0], [1.0, 2.0, 1.0]], np.float32)
    sums = crps_sum(ensemble, np.array([2.0, 2.0, NAN], np.float32))
    assert sums.count == 1
    assert crps(sums) == pytest.approx(0.5)


def test_no_pixels_have_no_score() -> None:
    nothing = np.full(4, NAN)
    assert math.isnan(crps(crps_sum(np.zeros((3, 4), np.float32), nothing)))
    assert math.isnan(brier(brier_sum(np.zeros(4, np.float32), nothing, 1.0)))
    assert math.isnan(crps(MeanSum()))


def test_adding_sums_is_scoring_everything_at_once() -> None:
    draw = np.random.default_rng(0)
    ensemble, seen = draw.gamma(0.5, 2, (5, 40)).astype(np.float32), draw.gamma(0.5, 2, 40).astype(np.float32)
    both = crps_sum(ensemble[:, :15], seen[:15]) + crps_sum(ensemble[:, 15:], seen[15:])
    assert crps(both) == pytest.approx(crps(crps_sum(ensemble, seen)))
    said = (ensemble >= 1).mean(axis=0).astype(np.float32)
    parts = brier_sum(said[:15], seen[:15], 1.0) + brier_sum(said[15:], seen[15:], 1.0)
    assert brier(parts) == pytest.approx(brier(brier_sum(said, seen, 1.0)))
