"""Scores of probabilities of rain and of ensembles. Sums are additive, as in `radar.scores.pixels`.

Reliability is in `radar.scores.reliability`; probabilities come from `radar.extrapolation.neighbourhood`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from radar.scores.pixels import ratio
from radar.sequence import Float32

_PARTS = 4
"""Parts of equal ratio of each interval between two thresholds."""
_TAIL = 4.0
"""Probabilities end at so many times the last threshold."""
_STEEPEST, _LEAST_STEEP = 12.0, 1.5
_LEAST = np.float32(1e-6)


@dataclass(frozen=True)
class MeanSum:
    """A score summed over pixels, and their number."""

    total: float = 0.0
    count: int = 0

    def __add__(self, other: MeanSum) -> MeanSum:
        return MeanSum(self.total + other.total, self.count + other.count)


def crps_sum(ensemble: Float32, observed: Float32) -> MeanSum:
    """Continuous ranked probability score of an ensemble, taken as its empirical distribution.

    mean |x - y| - mean |x - x'| / 2 over members x, x' and the observation y: Gneiting and Raftery (2007),
    doi:10.1198/016214506000001437. For one member it is the absolute error.

    Parameters
    ----------
    ensemble : float32 (M, ...)
        mm/h, M members. Pixels where any of them is NaN do not count.
    observed : float32 (...)
        mm/h.
    """
    members = len(ensemble)
    known = np.isfinite(observed) & np.isfinite(ensemble).all(axis=0)
    values = np.sort(ensemble[:, known].astype(np.float64), axis=0)
    distance = np.abs(values - observed[known]).mean(axis=0)
    # The k-th smallest member is above k - 1 others and below M - k, so one sum covers all pairs.
    ranks = 2.0 * np.arange(1, members + 1) - members - 1
    spread = np.tensordot(ranks, values, axes=1) / members**2
    return MeanSum(float((distance - spread).sum()), int(np.count_nonzero(known)))


def crps_of_probabilities(probabilities: Mapping[float, Float32], observed: Float32) -> MeanSum:
    """Continuous ranked probability score of a distribution that is known by the probabilities of some thresholds.

    The integral over the rate of (probability - whether it was observed)^2. Between thresholds, probabilities are a
    power of the rate; below the first one they are those of the first, and above the last one they go on as before it.

    Parameters
    ----------
    probabilities : mapping of float to float32 (...)
        By threshold in mm/h, rising or not; 0 to 1, NaN where unknown.
    observed : float32 (...)
        mm/h.
    """
    thresholds = sorted(probabilities)
    fields = [probabilities[threshold] for threshold in thresholds]
    known = np.isfinite(observed) & np.isfinite(fields[0])
    counted = known & ((fields[0] > _LEAST) | (observed > 0))  # elsewhere both are dry, and the score is 0
    rain = observed[counted]
    chances = np.minimum.accumulate([field[counted] for field in fields], axis=0)
    total, end = 0.0, 0.0
    for (low, chance), (high, next_chance) in pairwise(_course(thresholds, chances)):
        below, above = ((1 - chance) ** 2 + (1 - next_chance) ** 2) / 2, (chance**2 + next_chance**2) / 2
        share = np.clip((rain - low) / np.float32(high - low), 0, 1)  # of the interval, in which it rained more
        total += (high - low) * float((share * below + (1 - share) * above).sum(dtype=np.float64))
        end = high
    total += float(np.maximum(rain - np.float32(end), 0).sum(dtype=np.float64))
    return MeanSum(total, int(np.count_nonzero(known)))


def _course(thresholds: list[float], chances: Float32) -> Iterator[tuple[float, Float32]]:
    """Rates from 0 on, and the probability (N,) of each."""
    yield 0.0, chances[0]
    yield thresholds[0], chances[0]
    steepness = np.full_like(chances[0], _LEAST_STEEP)
    for (low, high), (chance, next_chance) in zip(pairwise(thresholds), pairwise(chances), strict=True):
        fall = np.log(np.maximum(chance, _LEAST) / np.maximum(next_chance, _LEAST))
        steepness = np.clip(fall / np.float32(np.log(high / low)), _LEAST_STEEP, _STEEPEST)
        for part in range(1, _PARTS):
            share = part / _PARTS
            yield low * (high / low) ** share, chance * np.exp(-np.float32(share) * fall)
        yield high, next_chance
    last, chance = thresholds[-1], chances[-1]
    for part in range(1, _PARTS + 1):
        rate = last * _TAIL ** (part / _PARTS)
        yield rate, chance * np.float32(rate / last) ** -steepness


def brier_sum(probability: Float32, observed: Float32, threshold: float) -> MeanSum:
    """Brier score of the probability (0 to 1) that the rain is at or above `threshold` (mm/h); arrays of one shape."""
    known = np.isfinite(probability) & np.isfinite(observed)
    happened = observed >= threshold
    counted = known & ((probability > 0) | happened)  # most pixels have probability 0 and no event: their error is 0
    errors = probability[counted] - happened[counted].astype(np.float64)
    return MeanSum(float(np.square(errors).sum()), int(np.count_nonzero(known)))


def crps(sums: MeanSum) -> float:
    """Mean continuous ranked probability score in mm/h; 0 is perfect; NaN without any pixel."""
    return ratio(sums.total, sums.count)


def brier(sums: MeanSum) -> float:
    """Brier score, 0 (perfect) to 1; NaN without any pixel."""
    return ratio(sums.total, sums.count)
