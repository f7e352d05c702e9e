"""CSI at equal area: every method forecasts as many pixels as one reference, so that none gains by more rain.

A method's pixels are those that it ranks highest: by its own probability of the threshold, or by its rain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radar.scores.pixels import ratio
from radar.sequence import Float32


@dataclass(frozen=True)
class EqualAreaSum:
    """Hits among the forecast pixels, and the numbers of forecast and of observed pixels."""

    hits: float = 0.0
    forecast: int = 0
    observed: int = 0

    def __add__(self, other: EqualAreaSum) -> EqualAreaSum:
        return EqualAreaSum(self.hits + other.hits, self.forecast + other.forecast, self.observed + other.observed)


def equal_area_sum(order: Float32, observed: Float32, threshold: float, area: int) -> EqualAreaSum:
    """Hits of the `area` pixels of the highest `order` (H, W); equal ones share what is left of the area.

    `observed` (H, W) is in mm/h; pixels where either is NaN do not count. An area beyond the known pixels is all of
    them.
    """
    known = np.isfinite(order) & np.isfinite(observed)
    ranks, happened = order[known], observed[known] >= threshold
    area, count = min(area, ranks.size), int(np.count_nonzero(happened))
    if area == 0:
        return EqualAreaSum(0.0, 0, count)
    last = np.partition(ranks, ranks.size - area)[ranks.size - area]
    above, equal = ranks > last, ranks == last
    left = area - int(np.count_nonzero(above))
    share = np.count_nonzero(happened & equal) / np.count_nonzero(equal)
    return EqualAreaSum(int(np.count_nonzero(happened & above)) + left * share, area, count)


def equal_area_csi(sums: EqualAreaSum) -> float:
    """CSI, 0 to 1; NaN if nothing was forecast or observed."""
    return ratio(sums.hits, sums.forecast + sums.observed - sums.hits)
