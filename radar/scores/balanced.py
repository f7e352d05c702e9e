"""Errors that weigh heavy rain as much as there is little of it: the one home of the weights.

Shi et al. (2017), arXiv:1706.03458. Sums are additive, as in `radar.scores.pixels`.
"""

from __future__ import annotations

import numpy as np

from radar.scores.pixels import ErrorSum
from radar.sequence import Float32

BALANCED_FROM = (2.0, 5.0, 10.0, 30.0)
BALANCED_WEIGHTS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""mm/h, and how much a pixel counts below the first, from the first on, and so forth."""


def balanced_weight(rain_rate: Float32) -> Float32:
    """How much each pixel of an array of observed rain in mm/h counts; NaN, which must not count, as dry."""
    limits = np.array(BALANCED_FROM, np.float32)
    known = np.nan_to_num(rain_rate, nan=0.0)
    return np.array(BALANCED_WEIGHTS, np.float32)[np.searchsorted(limits, known, side="right")]


def balanced_error_sum(forecast: Float32, observed: Float32, weight: Float32) -> ErrorSum:
    """Weighted errors of two arrays of one shape in network units; NaN in either does not count.

    `mae` of the sum is the balanced MAE, and its `squared / count` the balanced MSE: divided by pixels, as the
    balanced loss is, and not by weights.
    """
    difference = forecast - observed
    known = np.isfinite(difference)
    errors, weights = difference[known].astype(np.float64), weight[known].astype(np.float64)
    return ErrorSum(
        absolute=float(weights @ np.abs(errors)),
        squared=float(weights @ np.square(errors)),
        count=int(np.count_nonzero(known)),
    )
