"""Rain from log-odds: pictures that keep the rain of now, means and quantiles against sums over a distribution."""

from __future__ import annotations

import numpy as np
import pytest

from models.exceedance.rain import log_odds_at, matched, mean, probability, quantile
from radar.sequence import Float32

THRESHOLDS = np.array([0.1, 1.0, 10.0], np.float32)


def logits(*probabilities: float) -> Float32:
    """Log-odds (K, 1, 1) of one pixel."""
    p = np.array(probabilities, np.float32)[:, None, None]
    return np.asarray(np.log(p / (1 - p)))


def field(seed: int = 0, size: int = 40) -> tuple[Float32, Float32]:
    """Log-odds (3, H, W) that do not always fall from threshold to threshold, and a frame with gaps."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(1, size, size)) * 3
    odds = (base - np.arange(3)[:, None, None] * 2 + rng.normal(size=(3, size, size)) * 0.7).astype(np.float32)
    last = np.where(rng.random((size, size)) < 0.5, 0, rng.lognormal(0.5, 1.5, (size, size))).astype(np.float32)
    last[:5] = np.nan
    return odds, last


def test_a_picture_has_the_rain_of_now_where_it_is_likeliest() -> None:
    odds, last = field()
    rain = matched(odds, THRESHOLDS, last)
    np.testing.assert_array_equal(np.isnan(rain), np.isnan(last))
    known = np.isfinite(last)
    wet = last[known & (last >= 0.1)]
    np.testing.assert_allclose(np.sort(rain[rain > 0]), np.sort(wet))
    for threshold in THRESHOLDS:
        assert (rain >= threshold).sum() == (last >= threshold).sum()
    reached = rain[known] >= 0.1
    assert odds[0][known][reached].min() >= odds[0][known][~reached].max()


def test_between_thresholds_more_likely_is_more_rain() -> None:
    odds = np.stack([np.full((1, 4), 2.0), np.array([[-4.0, -3.0, -2.0, 3.0]]), np.full((1, 4), -9.0)]).astype("f4")
    rain = matched(odds, THRESHOLDS, np.array([[0.2, 5.0, 0.4, 0.8]], np.float32))
    np.testing.assert_allclose(rain, [[0.2, 0.4, 0.8, 5.0]])


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.3, 20.0])
def test_the_same_rain_everywhere_stays_the_same(rate: float) -> None:
    """Below the first threshold a picture is dry; what becomes of drizzle is not its task."""
    odds, _ = field()
    rain = matched(odds, THRESHOLDS, np.full((40, 40), rate, np.float32))
    np.testing.assert_allclose(rain, rate if rate >= 0.1 else 0)


def test_ties_share_the_rain_and_nothing_is_known_where_nothing_is() -> None:
    level = np.zeros((3, 1, 4), np.float32)
    rain = matched(level, THRESHOLDS, np.array([[0, 0, 2.0, np.nan]], np.float32))
    assert np.isnan(rain[0, 3])
    assert (rain[0, :3] == 2).all()
    assert np.isnan(matched(level, THRESHOLDS, np.full((1, 4), np.nan, np.float32))).all()


def test_log_odds_are_linear_in_the_logarithm_of_the_rate() -> None:
    odds = logits(0.8, 0.4, 0.1)
    assert probability(log_odds_at(odds, THRESHOLDS, 1.0)).item() == pytest.approx(0.4)
    halfway = log_odds_at(odds, THRESHOLDS, 10**0.5).item()
    assert halfway == pytest.approx((odds[1].item() + odds[2].item()) / 2, rel=1e-4)
    assert log_odds_at(odds, THRESHOLDS, 0.01).item() == odds[0].item()
    per_decade = odds[1].item() - odds[2].item()
    steepness = max(per_decade / np.log(10), 1.5)
    assert log_odds_at(odds, THRESHOLDS, 100.0).item() == pytest.approx(
        odds[2].item() - steepness * np.log(10), rel=1e-4
    )


def test_a_threshold_is_never_likelier_than_a_lower_one() -> None:
    odds = logits(0.3, 0.6, 0.2)
    assert probability(log_odds_at(odds, THRESHOLDS, 1.0)).item() == pytest.approx(0.3)


def test_mean_and_quantiles_are_those_of_the_distribution() -> None:
    odds = logits(0.8, 0.4, 0.1)
    rates = np.geomspace(0.1, 300, 20_000)
    above = np.array([probability(log_odds_at(odds, THRESHOLDS, rate)).item() for rate in rates[::20]])
    by_hand = 0.1 * 0.8 + np.trapezoid(above, rates[::20])
    assert mean(odds, THRESHOLDS).item() == pytest.approx(by_hand, rel=0.03)
    for share in (0.1, 0.5, 0.9, 0.97):
        found = quantile(odds, THRESHOLDS, share).item()
        if share == 0.1:
            assert found == 0  # it is dry with a probability of 0.2
        else:
            assert probability(log_odds_at(odds, THRESHOLDS, found)).item() == pytest.approx(1 - share, rel=1e-3)
