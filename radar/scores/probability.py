"""Scores of probabilities of rain and of ensembles. Sums are additive, as in `radar.scores.pixels`.

Reliability is in `radar.scores.reliability`; probabilities come from `radar.extrapolation.neighbourhood`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radar.scores.pixels import ratio
from radar.sequence import Float32


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
