"""Reliability: the observed frequency of rain for each forecast probability of rain.

Sums are additive, as in `radar.scores.pixels`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radar.scores.pixels import Float64, ratio
from radar.sequence import Float32

BINS = 10
"""The number of bins of probability: 0 to 0.1, and so on; 1 belongs to the last."""


@dataclass(frozen=True, eq=False)
class ReliabilitySum:
    """For each bin (BINS,): the sum of the forecast probabilities, the pixels with rain, and all pixels."""

    probability: Float64
    events: Float64
    count: Float64

    def __add__(self, other: ReliabilitySum) -> ReliabilitySum:
        return ReliabilitySum(
            self.probability + other.probability, self.events + other.events, self.count + other.count
        )


def no_reliability() -> ReliabilitySum:
    """The empty sum."""
    return ReliabilitySum(np.zeros(BINS), np.zeros(BINS), np.zeros(BINS))


def reliability_sum(probability: Float32, observed: Float32, threshold: float) -> ReliabilitySum:
    """Sort pixels by the probability (0 to 1) that rain is at or above `threshold` (mm/h); arrays of one shape.

    Pixels where either is NaN do not count.
    """
    known = np.isfinite(probability) & np.isfinite(observed)
    rained = observed >= threshold
    counted = known & ((probability > 0) | rained)  # most pixels are dry at probability 0, and count in the first bin
    forecast, events = probability[counted], rained[counted]
    bins = np.minimum((forecast * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(bins, minlength=BINS).astype(np.float64)
    count[0] += np.count_nonzero(known) - len(forecast)
    return ReliabilitySum(
        probability=np.bincount(bins, forecast, BINS).astype(np.float64),
        events=np.bincount(bins[events], minlength=BINS).astype(np.float64),
        count=count,
    )


def mean_probability(sums: ReliabilitySum) -> Float64:
    """Mean forecast probability in each bin (BINS,); NaN for an empty bin."""
    return ratio(sums.probability, sums.count)


def observed_frequency(sums: ReliabilitySum) -> Float64:
    """Share of the pixels of each bin (BINS,) with rain; reliable forecasts have the same `mean_probability`."""
    return ratio(sums.events, sums.count)
