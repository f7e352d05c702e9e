from __future__ import annotations

import math

import numpy as np
import pytest

from radar.scores.pixels import error_sum, mae
from radar.scores.probability import MeanSum, brier, brier_sum, crps, crps_of_probabilities, crps_sum

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


def test_crps_of_a_distribution_is_that_of_many_members_drawn_from_it() -> None:
    draw = np.random.default_rng(5)
    shape, members = (40, 40), 4000
    wet = draw.random((members, *shape)) < draw.random(shape)
    ensemble = np.where(wet, draw.lognormal(0.3, 0.9, (members, *shape)), 0).astype(np.float32)
    observed = ensemble[0].copy()
    observed[0, 0] = np.nan
    thresholds = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
    stated = {rate: (ensemble >= rate).mean(axis=0, dtype=np.float32) for rate in thresholds}
    of_members, of_thresholds = crps_sum(ensemble, observed), crps_of_probabilities(stated, observed)
    assert of_thresholds.count == of_members.count == 1599
    assert of_thresholds.total == pytest.approx(of_members.total, rel=0.02)


def test_crps_of_certainty_is_the_error_and_a_dry_forecast_of_dry_is_perfect() -> None:
    dry = {rate: np.zeros((1, 2), np.float32) for rate in (0.1, 1.0)}
    assert crps_of_probabilities(dry, np.zeros((1, 2), np.float32)).total == 0
    assert crps_of_probabilities(dry, np.array([[0.0, 7.0]], np.float32)).total == pytest.approx(7.0, rel=1e-3)
