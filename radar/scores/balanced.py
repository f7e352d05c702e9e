"""Balanced errors, which weigh rare heavy rain more: the only place with these weights.

Shi et al. (2017), arXiv:1706.03458. Sums are additive, as in `radar.scores.pixels`.
"""

from __future__ import annotations

import numpy as np

from radar.scores.pixels import ErrorSum
from radar.sequence import Float32

BALANCED_FROM = (2.0, 5.0, 10.0, 30.0)
BALANCED_WEIGHTS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Bounds in mm/h, and the weight of a pixel below the first, from the first to the second, and so on."""


def balanced_weight(rain_rate: Float32) -> Float32:
    """The weight of each pixel of an array of observed rain in mm/h; NaN, which must not count, weighs as dry."""
    limits = np.array(BALANCED_FROM, np.float32)
    known = np.nan_to_num(rain_rate, nan=0.0)
    return np.array(BALANCED_WEIGHTS, np.float32)[np.searchsorted(limits, known, side="right")]


def balanced_error_sum(forecast: Float32, observed: Float32, weight: Float32) -> ErrorSum:
    """Weighted errors of two arrays of one shape in network units; NaN in either does not count.

    `mae` of the sum is the balanced MAE, and its `squared / count` is the balanced MSE: both are divided by the number
    of pixels, like the balanced loss, and not by the weights.
    """
    difference = forecast - observed
    known = np.isfinite(difference)
    errors, weights = difference[known].astype(np.float64), weight[known].astype(np.float64)
    return ErrorSum(
        absolute=float(weights @ np.abs(errors)),
        squared=float(weights @ np.square(errors)),
        count=int(np.count_nonzero(known)),
    )
