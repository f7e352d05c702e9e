"""Reliability: how often it rains where a probability of rain is said.

Sums are additive, as in `radar.scores.pixels`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radar.scores.pixels import Float64, ratio
from radar.sequence import Float32

BINS = 10
"""Probabilities 0 to 0.1, and so forth; 1 belongs to the last."""


@dataclass(frozen=True, eq=False)
class ReliabilitySum:
    """For each bin (BINS,): the probabilities that were said, summed, how often it rained, and how many pixels."""

    said: Float64
    happened: Float64
    count: Float64

    def __add__(self, other: ReliabilitySum) -> ReliabilitySum:
        return ReliabilitySum(self.said + other.said, self.happened + other.happened, self.count + other.count)


def no_reliability() -> ReliabilitySum:
    """The sum to start from."""
    return ReliabilitySum(np.zeros(BINS), np.zeros(BINS), np.zeros(BINS))


def reliability_sum(probability: Float32, observed: Float32, threshold: float) -> ReliabilitySum:
    """Sort pixels by the probability (0 to 1) that rain is at or above `threshold` (mm/h); arrays of one shape.

    Pixels where either is NaN do not count.
    """
    known = np.isfinite(probability) & np.isfinite(observed)
    rained = observed >= threshold
    told = known & ((probability > 0) | rained)  # most pixels are not: they only count, in the first bin
    said, happened = probability[told], rained[told]
    bins = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(bins, minlength=BINS).astype(np.float64)
    count[0] += np.count_nonzero(known) - len(said)
    return ReliabilitySum(
        said=np.bincount(bins, said, BINS).astype(np.float64),
        happened=np.bincount(bins[happened], minlength=BINS).astype(np.float64),
        count=count,
    )


def mean_probability(sums: ReliabilitySum) -> Float64:
    """Mean probability said in each bin (BINS,); NaN where none was."""
    return ratio(sums.said, sums.count)


def observed_frequency(sums: ReliabilitySum) -> Float64:
    """Share of the pixels of each bin (BINS,) in which it rained; reliable is equal to `mean_probability`."""
    return ratio(sums.happened, sums.count)
