"""Fractions skill score: compares the wet share of neighbourhoods, so that a near miss counts.

Roberts and Lean (2008), doi:10.1175/2007MWR2123.1. Sums are additive, as in `radar.scores.pixels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from radar.scores.pixels import ratio
from radar.sequence import Float32

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FractionSum:
    """Sums over pixels of (forecast fraction - observed fraction)^2, and of both fractions squared."""

    difference: float = 0.0
    reference: float = 0.0

    def __add__(self, other: FractionSum) -> FractionSum:
        return FractionSum(self.difference + other.difference, self.reference + other.reference)


def scale_pixels(scale_km: float, pixel_size_km: float) -> int:
    """Width of a neighbourhood in pixels: at least one."""
    return max(1, round(scale_km / pixel_size_km))


def fraction_sum(forecast: Float32, observed: Float32, threshold: float, pixels: int) -> FractionSum:
    """Compare the wet fractions of square neighbourhoods.

    Parameters
    ----------
    forecast, observed : float32 (H, W)
        mm/h. Where one of them is NaN, neither counts as wet, and no neighbourhood is centred there: the edge
        of the data is treated as the edge of the frame.
    threshold : float
        mm/h; equal counts as wet.
    pixels : int
        Width of the neighbourhoods, from `scale_pixels`.
    """
    known = np.isfinite(forecast) & np.isfinite(observed)
    forecast_wet = wet_pixels((forecast >= threshold) & known, pixels)
    observed_wet = wet_pixels((observed >= threshold) & known, pixels)
    centres, square = known.astype(np.uint8), cv2.NORM_L2SQR
    area = float(pixels) ** 4  # counts become fractions, squared
    return FractionSum(
        difference=cv2.norm(forecast_wet, observed_wet, square, centres) / area,
        reference=(cv2.norm(forecast_wet, square, centres) + cv2.norm(observed_wet, square, centres)) / area,
    )


def wet_pixels(wet: Bool, pixels: int) -> Float32:
    """The number of wet pixels in the neighbourhood of each pixel, (H, W); pixels outside the frame count as dry."""
    ones, size = wet.astype(np.uint8), (pixels, pixels)
    return cast(Float32, cv2.boxFilter(ones, cv2.CV_32F, size, normalize=False, borderType=cv2.BORDER_CONSTANT))


def fss(sums: FractionSum) -> float:
    """Fractions skill score, 0 to 1; NaN where nothing was forecast or observed."""
    # (a - b)^2 is at most a^2 + b^2; only rounding can exceed it.
    return 1 - ratio(cast(float, np.minimum(sums.difference, sums.reference)), sums.reference)
