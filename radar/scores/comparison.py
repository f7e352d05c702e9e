"""A forecast frame and its observation, in every form that scores read; each form is computed once, when needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from radar.rain import RainScaling
from radar.scores.spectrum import SpectrumSum, spectrum_sum
from radar.sequence import Float32

UNITS = RainScaling()
"""The network units of SSIM, PSNR and balanced errors, the same for every method."""
_LEAST_STEP = np.float32(1e-5)
"""Smaller than any difference of probabilities that counts."""


@dataclass(frozen=True, eq=False)
class Field:
    """One frame (H, W) in mm/h, NaN where it is missing."""

    rain_rate: Float32

    @cached_property
    def units(self) -> Float32:
        """The frame in network units."""
        return UNITS.to_network(self.rain_rate)

    @cached_property
    def power(self) -> SpectrumSum:
        """Its spectrum, with missing pixels as dry."""
        return spectrum_sum(np.nan_to_num(self.rain_rate, nan=0.0))


@dataclass(frozen=True, eq=False)
class Comparison:
    """The data from which the sums of a frame are computed.

    Parameters
    ----------
    forecast, observed : Field
        Pixels where one of them is NaN do not count. Spectra compare only if both are NaN at the same pixels.
    pixel_size_km : float
    probabilities : mapping of float to float32 (H, W)
        By threshold in mm/h, 0 to 1; empty where none were forecast.
    ensemble : float32 (M, H, W) or None
        mm/h; None where the forecast has no members.
    distribution : bool
        Whether the probabilities are those of one distribution of rain at each pixel.
    areas : mapping of float to int
        By threshold, the number of pixels that every forecast may have for scores at equal area; empty without any.
    """

    forecast: Field
    observed: Field
    pixel_size_km: float
    probabilities: Mapping[float, Float32] = field(default_factory=dict)
    ensemble: Float32 | None = None
    distribution: bool = False
    areas: Mapping[float, int] = field(default_factory=dict)

    def order(self, threshold: float) -> Float32:
        """Numbers (H, W) that are highest where rain at or above a threshold is likeliest, equal ones by rain.

        Probabilities of neighbourhoods are made from the rain, and blur it; it has the order itself.
        """
        rain = self.forecast.rain_rate
        if not self.distribution and self.ensemble is None:
            return rain
        return self.probabilities[threshold] + _LEAST_STEP * rain / (1 + rain)

    @property
    def rain(self) -> tuple[Float32, Float32]:
        """Forecast and observation in mm/h."""
        return self.forecast.rain_rate, self.observed.rain_rate

    @property
    def units(self) -> tuple[Float32, Float32]:
        """Forecast and observation in network units."""
        return self.forecast.units, self.observed.units

    @property
    def power(self) -> tuple[SpectrumSum, SpectrumSum]:
        """Spectra of forecast and observation."""
        return self.forecast.power, self.observed.power
