"""Odds in 8 bits: what the tables give is what the formulas of log-odds give, and all of a field agrees."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from models.exceedance.odds import IMPOSSIBLE, NO_DATA, QUANTILES, Statistic, amounts, probabilities, quantised
from models.exceedance.rain import log_odds_at, mean, nested, probability, quantile
from radar.sequence import Float32

RISING = (0.1, 0.5, 1.0, 5.0, 10.0)
AMOUNTS: tuple[Statistic, ...] = ("mean", "p10", "median", "p90")


def field(thresholds: tuple[float, ...]) -> Float32:
    """Log-odds (K, 40, 40) between steps of 1/16, all but certain at some pixels and all but impossible at others."""
    rng = np.random.default_rng(5)
    steps = np.arange(len(thresholds))[:, None, None]
    return np.asarray(rng.normal(0, 4, (1, 40, 40)) - steps + rng.normal(0, 0.5, (len(steps), 40, 40)), np.float32)


def as_read(log_odds: Float32) -> Float32:
    """The same as they are after the rounding."""
    return np.clip(np.rint(nested(log_odds) * 16) / 16, -127 / 16, 127 / 16).astype(np.float32)


@pytest.mark.parametrize("thresholds", [RISING, (0.5, 2.0), (1.0,)])
@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3, 1.0, 7.0, 10.0, 40.0])
def test_probabilities_are_those_of_interpolated_log_odds(thresholds: tuple[float, ...], rate: float) -> None:
    log_odds = field(thresholds)
    found = probabilities(quantised(log_odds), thresholds, rate)
    expected = probability(log_odds_at(as_read(log_odds), np.array(thresholds, np.float32), rate))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=4e-4)  # what is less likely is impossible
    exact = probability(log_odds_at(log_odds, np.array(thresholds, np.float32), rate))
    within = rate <= thresholds[-1]  # above, the steepness between the last two goes on
    np.testing.assert_allclose(found, exact, atol=0.009 if within else 0.2)  # half a step of 1/16


@pytest.mark.parametrize("thresholds", [RISING, (0.5, 2.0), (1.0,)])
def test_quantiles_and_means_are_those_of_the_formulas(thresholds: tuple[float, ...]) -> None:
    odds, rates = quantised(field(thresholds)), np.array(thresholds, np.float32)
    usual = (odds > IMPOSSIBLE).all(axis=0)  # between the formulas' log-odds and impossible ones all is cut off
    read = as_read(field(thresholds))
    for name, share in QUANTILES.items():
        found = amounts(odds, thresholds, name)
        np.testing.assert_allclose(found[usual], quantile(read, rates, share)[usual], rtol=1e-4)
    found = amounts(odds, thresholds, "mean")
    np.testing.assert_allclose(found[usual], mean(read, rates)[usual], rtol=0.01, atol=0.01)


@pytest.mark.parametrize("thresholds", [RISING, (0.5, 2.0), (1.0,)])
def test_the_mean_is_the_sum_of_the_probabilities_that_are_given(thresholds: tuple[float, ...]) -> None:
    odds = quantised(field(thresholds))
    rates = np.concatenate([[thresholds[0]], np.geomspace(thresholds[0], 300, 160)[1:]])
    chances = np.stack([probabilities(odds, thresholds, float(rate)) for rate in rates])
    by_hand = thresholds[0] * chances[0] + np.trapezoid(chances, rates, axis=0)
    np.testing.assert_allclose(amounts(odds, thresholds, "mean"), by_hand, rtol=0.02, atol=5e-4)


def test_quantiles_rise_and_reach_a_rate_where_it_is_likely_enough() -> None:
    odds = quantised(field(RISING))
    low, middle, high = (amounts(odds, RISING, name) for name in ("p10", "median", "p90"))
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert (low < high).any()
    for rate in RISING:
        np.testing.assert_array_equal(middle * 1.000001 >= rate, probabilities(odds, RISING, rate) >= 0.5)


@pytest.mark.parametrize("name", AMOUNTS)
def test_without_data_nothing_is_known_and_where_rain_is_impossible_it_is_dry(name: Statistic) -> None:
    log_odds = np.full((3, 1, 3), -20.0, np.float32)
    log_odds[:, :, 0] = np.nan
    log_odds[:, :, 2] = 20.0
    odds = quantised(log_odds)
    assert odds[:, 0, :2].tolist() == [[NO_DATA, IMPOSSIBLE]] * 3
    rain = amounts(odds, (0.1, 1.0, 5.0), name)
    assert np.isnan(rain[0, 0])
    assert rain[0, 1] == 0
    assert rain[0, 2] > 5
    chance = probabilities(odds, (0.1, 1.0, 5.0), 1.0)
    assert np.isnan(chance[0, 0])
    assert chance[0, 1] == 0
    assert 0.999 < chance[0, 2] < 1


def test_every_statistic_is_named() -> None:
    assert get_args(Statistic) == ("matched", *sorted(AMOUNTS, key=("mean", "median", "p10", "p90").index))
