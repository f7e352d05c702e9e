"""Rain from probabilities: pictures, means and quantiles of what log-odds of exceeding thresholds say.

Between thresholds, log-odds are linear in the logarithm of the rate. Above the last one they go on as between the last
two, below the first one they are those of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import cast

import numpy as np
import numpy.typing as npt

from radar.sequence import Float32

_LEAST_STEEPNESS = np.float32(1.5)
"""By how much log-odds fall above the last threshold, at least, when the rate becomes e times as large."""
HIGHEST_RATE = 300.0
"""mm/h up to which means are integrated."""
_NODES = 24


def nested(log_odds: Float32) -> Float32:
    """Log-odds (K, ...) for rising thresholds, none higher than that of the threshold below."""
    found = log_odds.copy()
    for lower, upper in pairwise(found):  # np.minimum.accumulate takes twenty times as long
        np.minimum(lower, upper, out=upper)
    return found


def probability(log_odds: Float32) -> Float32:
    """Probabilities, 0 to 1."""
    return cast(Float32, 1 / (1 + np.exp(-log_odds)))


def log_odds_at(log_odds: Float32, thresholds: Float32, rate: float) -> Float32:
    """Log-odds (H, W) that rain reaches `rate` (mm/h), from those (K, H, W) of rising thresholds."""
    log_odds, steps = nested(log_odds), np.log(thresholds)
    at = float(np.log(rate))
    if at <= steps[0]:
        return cast(Float32, log_odds[0])
    above = int(np.searchsorted(steps, at))
    if above < len(steps):
        share = np.float32((at - steps[above - 1]) / (steps[above] - steps[above - 1]))
        return cast(Float32, log_odds[above - 1] * (1 - share) + log_odds[above] * share)
    return cast(Float32, log_odds[-1] - np.float32(at - steps[-1]) * _steepness(log_odds, steps))


def _steepness(log_odds: Float32, steps: Float32) -> Float32:
    if len(steps) == 1:
        return np.full_like(log_odds[0], _LEAST_STEEPNESS)
    steepness: Float32 = np.maximum((log_odds[-2] - log_odds[-1]) / (steps[-1] - steps[-2]), _LEAST_STEEPNESS)
    return steepness


def matched(log_odds: Float32, thresholds: Float32, last: Float32) -> Float32:
    """A picture with the rain of the last frame, given out in the order of the log-odds.

    As many pixels reach each threshold as in the last frame: those where it is likeliest, among those that reach the
    threshold below. Between two thresholds the order is how far the log-odds are on the way from one to the other.

    Parameters
    ----------
    log_odds : float32 (K, H, W)
    thresholds : float32 (K,)
        mm/h, rising.
    last : float32 (H, W)
        mm/h, NaN = no data.

    Returns
    -------
    float32 (H, W)
        mm/h: 0 where the first threshold is not reached, NaN where `last` is.
    """
    known = np.isfinite(last).ravel()
    rain = np.where(known, np.float32(0), np.float32(np.nan))
    flat = log_odds.reshape(len(thresholds), -1)
    pixels, excess, rates = np.flatnonzero(known), np.zeros(int(known.sum()), np.float32), np.sort(last.ravel()[known])
    for index, threshold in enumerate(thresholds):
        count = len(rates) - int(np.searchsorted(rates, threshold))
        values = flat[index, pixels]
        excess_now = values - _highest(values, count)
        above = excess_now >= 0
        if index:  # of the others, each is between the threshold below and this one
            way = excess[~above] / np.maximum(excess[~above] - excess_now[~above], np.float32(1e-9))
            _give_out(rain, pixels[~above], way, rates[: len(rates) - count])
        pixels, excess, rates = pixels[above], excess_now[above], rates[len(rates) - count :]
    _give_out(rain, pixels, excess, rates)
    return rain.reshape(last.shape)


def _highest(values: Float32, count: int) -> np.float32:
    """The value from which `count` of `values` (N,) are the highest; infinite for none."""
    return np.float32(np.partition(values, len(values) - count)[len(values) - count]) if count else np.float32(np.inf)


def _give_out(rain: Float32, pixels: npt.NDArray[np.int64], order: Float32, rates: Float32) -> None:
    """Write sorted rates to `pixels` of `rain` (N,), the highest where `order` is highest; interpolated among ties."""
    if len(pixels) and len(rates):
        ranks = np.linspace(0, len(rates) - 1, len(pixels))
        rain[pixels[np.argsort(order, kind="stable")]] = np.interp(ranks, np.arange(len(rates)), rates)


def mean(log_odds: Float32, thresholds: Float32) -> Float32:
    """The mean rain in mm/h (H, W): the integral of the probabilities over the rate.

    Rain below the first threshold is not counted.
    """
    rates = [*thresholds.tolist(), HIGHEST_RATE]

    def chance(rate: float) -> Float32:
        return probability(log_odds_at(log_odds, thresholds, rate))

    total = chance(rates[0]) * np.float32(rates[0])
    for low, high in pairwise(rates):
        total += integral(chance, low, high)
    return total


def integral(chance: Callable[[float], Float32], low: float, high: float) -> Float32:
    """The integral in mm/h of the probabilities `chance` of rates from `low` to `high` (mm/h).

    Gaussian quadrature over the logarithm of the rate, in which log-odds are linear between two thresholds.
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = float(np.log(high / low)) / 2
    rates = low * np.exp(half * (nodes + 1))
    return cast(Float32, sum(chance(float(r)) * np.float32(half * w * r) for r, w in zip(rates, weights, strict=True)))


def quantile(log_odds: Float32, thresholds: Float32, share: float) -> Float32:
    """The rate (H, W) in mm/h that rain stays below with probability `share`; 0 below the first threshold."""
    log_odds, steps = nested(log_odds), np.log(thresholds)
    limit = np.float32(np.log((1 - share) / share))
    found = steps[-1] + (log_odds[-1] - limit) / _steepness(log_odds, steps)
    for index in range(len(steps) - 2, -1, -1):
        below, above = log_odds[index], log_odds[index + 1]
        way = (below - limit) / np.maximum(below - above, np.float32(1e-6))
        found = np.where(above < limit, steps[index] + way * (steps[index + 1] - steps[index]), found)
    rate = np.minimum(np.exp(found), np.float32(HIGHEST_RATE))
    return np.where(log_odds[0] < limit, np.float32(0), rate).astype(np.float32, copy=False)
