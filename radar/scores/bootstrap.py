"""Confidence intervals of scores: the starts of forecasts are resampled, and each sample is scored.

Forecasts that start soon after each other see the same rain, so starts are drawn in blocks of consecutive ones:
the circular block bootstrap of Politis and Romano (1992), in which the first start follows the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from radar.scores.pixels import Float64

RESAMPLES = 1000
CONFIDENCE = 0.95
_DEFINED = 0.9
"""Share of the resamples in which a score must be defined: rain of few starts is in few resamples."""
_FEWEST_BLOCKS = 4
"""The fewest blocks for a meaningful spread and a known quantile of Student."""


class Interval(NamedTuple):
    """Bounds of a score, arrays of one shape; NaN where they are unknown."""

    low: Float64
    high: Float64


def block_length(steps: int, stride: int) -> int:
    """How many consecutive starts, `stride` timesteps apart, span a forecast of `steps` timesteps."""
    return max(1, -(-steps // stride))


def draw_starts(starts: int, block: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Float64:
    """How often each start is in each resample.

    Parameters
    ----------
    starts : int
        How many forecasts there are, in order of time.
    block : int
        How many consecutive starts are drawn together, from `block_length`.

    Returns
    -------
    float64 (resamples, starts)
        Each row sums to `starts`. With fewer than two blocks there are no rows: one spell of rain does not show how
        much spells differ.
    """
    if starts < 2 * block:
        return np.empty((0, starts))
    first = np.random.default_rng(seed).integers(starts, size=(resamples, -(-starts // block)))
    drawn = (first[:, :, None] + np.arange(block)).reshape(resamples, -1)[:, :starts] % starts
    flat = drawn + starts * np.arange(resamples)[:, None]
    return np.bincount(flat.ravel(), minlength=resamples * starts).reshape(resamples, starts).astype(np.float64)


def resample(sums: Float64, draws: Float64) -> Float64:
    """Additive sums (starts, ...) of each resample of `draw_starts`, (resamples, ...)."""
    return np.tensordot(draws, sums, axes=1)


def interval(values: Float64, blocks: float, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a score, from its values (resamples, ...) over resamples of so many `blocks`; NaN is left out.

    Resamples of few blocks vary less than independent samples would. The interval therefore spans more than the middle
    `confidence` of them: the interval of a mean becomes as wide as Student's (the expanded percentile of Hesterberg,
    2015). With fewer than four blocks it spans all of them. A score's own bounds, such as 0 and 1, are kept.

    The bounds are NaN where more than a tenth of the values are NaN, and without any values.
    """
    if not len(values):
        return Interval(np.full(values.shape[1:], np.nan), np.full(values.shape[1:], np.nan))
    enough = np.isfinite(values).mean(axis=0) >= _DEFINED
    defined = np.where(enough, values, 0.0)
    left_out = _tail(blocks, confidence)
    low, high = np.nanquantile(defined, [left_out, 1 - left_out], axis=0)
    return Interval(np.where(enough, low, np.nan), np.where(enough, high, np.nan))


def _tail(blocks: float, confidence: float) -> float:
    """The share of resamples beyond each end of an interval."""
    if blocks < _FEWEST_BLOCKS:
        return 0.0
    return NormalDist().cdf(-student_quantile((1 + confidence) / 2, blocks - 1) * math.sqrt(blocks / (blocks - 1)))


class Estimate(NamedTuple):
    """A score and the bounds of its confidence interval, arrays of one shape."""

    value: Float64
    low: Float64
    high: Float64


Read = Callable[[Float64], Float64]
"""Reads a score from sums (..., K): arrays of any leading shape."""


def estimate(sums: Float64, read: Read, block: int) -> Estimate:
    """A score of all starts with its interval.

    Parameters
    ----------
    sums : float64 (starts, ..., K)
        Additive sums of each start, in order of time.
    read : function
        From sums (..., K) to the score (...), e.g. `lambda counts: read_many(csi, ContingencyTable, counts)`.
    block : int
        From `block_length`.

    Returns
    -------
    Estimate
        Bounds are NaN with too few starts.
    """
    samples = read(resample(sums, draw_starts(len(sums), block)))
    return Estimate(read(sums.sum(axis=0)), *interval(samples, len(sums) / block))


def estimate_difference(
    mine: Float64, theirs: Float64, read: Read, block: int, confidence: float = CONFIDENCE
) -> Estimate:
    """How much a score of `mine` is above that of `theirs`, both as in `estimate` and over the same starts.

    The starts are paired: every resample takes the same starts of both, so that rain that is hard for both does not
    widen the interval. One of the two is better where the interval excludes 0. The interval is Student's, from the
    spread over the resamples: with few blocks their quantiles would be too narrow. With fewer than four blocks the
    bounds are NaN.
    """
    value, blocks = read(mine.sum(axis=0)) - read(theirs.sum(axis=0)), len(mine) / block
    if blocks < _FEWEST_BLOCKS:
        return Estimate(value, *(np.full_like(value, np.nan) for _ in range(2)))
    draws = draw_starts(len(mine), block)
    samples = read(resample(mine, draws)) - read(resample(theirs, draws))
    defined = np.isfinite(samples).mean(axis=0) >= _DEFINED
    spread = np.nanstd(np.where(defined, samples, 0.0), axis=0) * np.sqrt(blocks / (blocks - 1))
    half = np.where(defined, student_quantile((1 + confidence) / 2, blocks - 1) * spread, np.nan)
    return Estimate(value, value - half, value + half)


def student_quantile(probability: float, freedom: float) -> float:
    """The quantile of Student's t with `freedom` degrees of freedom, 3 or more.

    By the series of Abramowitz and Stegun (1964), 26.7.5: within 1 % for probabilities up to 0.995.

    Raises
    ------
    ValueError
        The probability is outside 0 to 1, or there are fewer than 3 degrees of freedom.
    """
    if not 0 < probability < 1 or not freedom >= 3:
        raise ValueError(f"expected a probability within 0 and 1 and 3 degrees or more, got {probability}, {freedom}")
    x = NormalDist().inv_cdf(probability)
    terms = (
        x,
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))
