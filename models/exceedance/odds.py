"""Log-odds in 8 bits a pixel: the form in which a distribution is kept, and rain and probabilities from it by tables.

Between two thresholds everything depends on their two numbers only, so that a table of 256 x 256 values holds it. All
numbers of a forecast come from here: those of one field agree with each other, and with the probabilities.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from models.exceedance.rain import HIGHEST_RATE, integral, log_odds_at, nested, probability, quantile
from radar.sequence import Float32

Odds = npt.NDArray[np.uint8]
"""Log-odds (K, ...) of rising thresholds: `NO_DATA`, `IMPOSSIBLE`, or steps of 1/16 around `_EVEN`, -7.9 to 7.9."""
Statistic = Literal["matched", "mean", "median", "p10", "p90"]
"""Forms of a forecast of rain: a picture with the rain of the last frame, or each pixel's mean or quantile."""
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)
QUANTILES: dict[Statistic, float] = {"p10": 0.1, "median": 0.5, "p90": 0.9}
NO_DATA, IMPOSSIBLE = 0, 1
"""Pixels without a forecast; log-odds of -7.9 and below, which are read as a probability of 0."""
_EVEN = 128
_STEP = np.float32(1 / 16)

Tables = npt.NDArray[np.float32]
"""(pairs of neighbouring thresholds, 256, 256): by the numbers of the lower and of the upper one."""


def quantised(log_odds: Float32) -> Odds:
    """Log-odds (K, ...) in 8 bits, none higher than that of the threshold below; NaN is `NO_DATA`."""
    odds = np.empty(log_odds.shape, np.uint8)
    for plane, numbers in zip(odds, nested(log_odds), strict=True):  # in place: memory is what takes time here
        missing = np.isnan(numbers)
        numbers *= 1 / _STEP
        numbers += _EVEN + 0.5
        np.fmax(numbers, IMPOSSIBLE, out=numbers)
        plane[:] = np.minimum(numbers, 255, out=numbers)
        plane[missing] = NO_DATA
    return odds


def amounts(odds: Odds, thresholds: tuple[float, ...], name: Statistic) -> Float32:
    """The mean or a quantile of rain in mm/h (...) of odds (K, ...); 0 where rain is impossible, NaN without data.

    It is for every statistic but "matched", which is of a whole picture: `models.exceedance.rain.matched`.
    """
    tables = _amount_tables(thresholds, name)
    total = _look_up(tables[0], odds[0], odds[min(1, len(odds) - 1)])
    for index in range(1, len(tables)):
        total += _look_up(tables[index], odds[index], odds[index + 1])
    return total


def probabilities(odds: Odds, thresholds: tuple[float, ...], rate: float) -> Float32:
    """Probabilities (...), 0 to 1, that rain reaches `rate` (mm/h), of odds (K, ...); NaN without data.

    Log-odds are interpolated as in `models.exceedance.rain`.
    """
    pair = _pair_of(thresholds, rate)
    return _look_up(_probability_table(thresholds, rate), odds[pair], odds[min(pair + 1, len(odds) - 1)])


def _pair_of(thresholds: tuple[float, ...], rate: float) -> int:
    """The lower one of the two thresholds that a rate's log-odds follow from."""
    below = int(np.searchsorted(thresholds, rate)) - 1
    return max(0, min(below, len(thresholds) - 2))


def _look_up(table: Float32, lower: Odds, upper: Odds) -> Float32:
    places = lower.astype(np.uint16)
    places <<= 8
    places |= upper
    return np.take(table, places)


def _log_odds(thresholds: tuple[float, ...], pair: int) -> tuple[Float32, Float32]:
    """Log-odds (2, 256, 256) of all numbers of two neighbouring thresholds, and these; of a single one (1, ...)."""
    of_number = (np.arange(256, dtype=np.float32) - _EVEN) * _STEP
    mesh = np.stack(np.meshgrid(of_number, of_number, indexing="ij"))
    chosen = np.array(thresholds[pair : pair + 2], np.float32)
    return mesh[: len(chosen)], chosen


def _chance(log_odds: Float32, thresholds: Float32, rate: float) -> Float32:
    """Probabilities of a rate: 0 where the number itself, or the last one for a higher rate, is `IMPOSSIBLE`."""
    last = float(thresholds[-1])
    stated = log_odds_at(log_odds, thresholds, min(rate, last))
    found = stated if rate <= last else log_odds_at(log_odds, thresholds, rate)
    return np.where(stated < (IMPOSSIBLE + 0.5 - _EVEN) * _STEP, np.float32(0), probability(found))


def _with_missing(table: Float32) -> Float32:
    table = table.astype(np.float32)
    table[NO_DATA, :] = table[:, NO_DATA] = np.nan
    return table


@lru_cache(maxsize=64)
def _probability_table(thresholds: tuple[float, ...], rate: float) -> Float32:
    return _with_missing(_chance(*_log_odds(thresholds, _pair_of(thresholds, rate)), rate))


@lru_cache(maxsize=16)
def _amount_tables(thresholds: tuple[float, ...], name: Statistic) -> Tables:
    """Tables whose sum is the statistic: each has what lies between its two thresholds, the last all above."""
    make = _mean_part if name == "mean" else partial(_quantile_part, share=QUANTILES[name])
    pairs = range(max(1, len(thresholds) - 1))
    return np.stack([_with_missing(make(thresholds, pair, last=pair == pairs[-1])) for pair in pairs])


def _mean_part(thresholds: tuple[float, ...], pair: int, *, last: bool) -> Float32:
    """The integral of the probabilities over the rate, from one threshold to the next, and below the first one."""
    chance = partial(_chance, *_log_odds(thresholds, pair))
    part = integral(chance, thresholds[pair], HIGHEST_RATE if last else thresholds[pair + 1])
    return part if pair else part + chance(thresholds[0]) * np.float32(thresholds[0])


def _quantile_part(thresholds: tuple[float, ...], pair: int, *, last: bool, share: float) -> Float32:
    """The quantile where it lies between two thresholds, 0 elsewhere."""
    log_odds, chosen = _log_odds(thresholds, pair)
    found = quantile(log_odds, chosen, share)
    return found if last else np.where(log_odds[1] < np.float32(np.log((1 - share) / share)), found, np.float32(0))
