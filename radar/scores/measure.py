"""Every score of a forecast frame as one vector of additive sums: those of `pixels` and `fss`.

Counts are whole numbers, exact in float64 up to 2^53 pixels. Vectors of many frames stack to arrays (..., `size`).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from radar.scores.fss import fraction_sum, scale_pixels
from radar.scores.pixels import Float64, contingency, error_sum
from radar.sequence import Float32

_PLAIN = 4
"""How many sums have no threshold."""


@dataclass(frozen=True)
class Measure:
    """Thresholds and neighbourhoods, and where their sums stand.

    Sums are in this order: frames; absolute (mm/h) and squared errors and their pixels; then for each threshold hits,
    misses, false alarms, correct negatives, and for each width the two sums of FSS. More may stand behind them.

    Parameters
    ----------
    thresholds : tuple of float
        mm/h.
    fss_km : tuple of float
        Widths of the neighbourhoods of FSS, the main one first.
    """

    thresholds: tuple[float, ...]
    fss_km: tuple[float, ...]

    @property
    def size(self) -> int:
        """How many sums there are."""
        return _PLAIN + len(self.thresholds) * (4 + 2 * len(self.fss_km))

    def sums(self, forecast: Float32, observed: Float32, pixel_size_km: float) -> Float64:
        """The sums (size,) of one frame, (H, W) in mm/h; pixels where one of the two is NaN do not count."""
        widths = [scale_pixels(km, pixel_size_km) for km in self.fss_km]
        parts = [1.0, *astuple(error_sum(forecast, observed))]
        for threshold in self.thresholds:
            parts += astuple(contingency(forecast, observed, threshold))
            for width in widths:
                parts += astuple(fraction_sum(forecast, observed, threshold, width))
        return np.array(parts, np.float64)

    @staticmethod
    def errors(sums: Float64) -> Float64:
        """`ErrorSum` in mm/h: (..., 3)."""
        return sums[..., 1:_PLAIN]

    def counts(self, sums: Float64) -> Float64:
        """Hits, misses, false alarms, correct negatives: (..., thresholds, 4)."""
        return self._by_threshold(sums)[..., :4]

    def fractions(self, sums: Float64) -> Float64:
        """`FractionSum`: (..., thresholds, widths, 2)."""
        near = self._by_threshold(sums)[..., 4:]
        return near.reshape(*near.shape[:-1], len(self.fss_km), 2)

    def _by_threshold(self, sums: Float64) -> Float64:
        each = 4 + 2 * len(self.fss_km)
        return sums[..., _PLAIN : self.size].reshape(*sums.shape[:-1], len(self.thresholds), each)
