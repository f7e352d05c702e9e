"""Radially averaged power spectral density (RAPSD): how much detail there is at each wavelength.

A forecast that loses its small scales scores well and looks blurred; its spectrum shows the loss. Sums are additive
over fields of one shape, as in `radar.scores.pixels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from radar.scores.pixels import NAN, ratio
from radar.sequence import Float32

Float64 = npt.NDArray[np.float64]
SMALL_SCALE_KM = 8.0
"""Shorter wavelengths count as small-scale."""


@dataclass(frozen=True, eq=False)
class SpectrumSum:
    """Power density of fields, summed, at wave numbers 0 to L/2 per L pixels (L: the longer side); number of fields."""

    power: Float64
    fields: int

    def __add__(self, other: SpectrumSum) -> SpectrumSum:
        return SpectrumSum(self.power + other.power, self.fields + other.fields)


def no_spectrum(shape: tuple[int, int]) -> SpectrumSum:
    """The empty sum for fields of a shape (H, W)."""
    return SpectrumSum(np.zeros(_length(shape)), 0)


def spectrum_sum(field: Float32) -> SpectrumSum:
    """Power density of one field (H, W) in mm/h, averaged over rings of equal wave number.

    A field with NaN has no spectrum and does not count. On square fields the result equals pysteps' `rapsd`; on other
    fields a ring has equal wavelength in pixels here, and equal index in pysteps.
    """
    if not np.isfinite(field).all():
        return no_spectrum(field.shape)
    transformed = np.fft.rfft2(field.astype(np.float64))
    density = (np.square(transformed.real) + np.square(transformed.imag)) / field.size
    rings, weights, members = _rings(field.shape)
    sums = np.bincount(rings.ravel(), (density * weights).ravel(), len(members))[: _length(field.shape)]
    return SpectrumSum(sums / members[: len(sums)], 1)


def rapsd(sums: SpectrumSum) -> Float64:
    """Mean power density in (mm/h)^2 at wave numbers 0 to L/2 per L pixels; NaN without any field."""
    return sums.power / sums.fields if sums.fields else np.full_like(sums.power, NAN)


def wavelengths_km(shape: tuple[int, int], pixel_size_km: float) -> Float64:
    """Wavelength in km of each entry of `rapsd` for fields of a shape (H, W); the first, the mean, is infinite."""
    with np.errstate(divide="ignore"):
        return max(shape) * pixel_size_km / np.arange(_length(shape), dtype=np.float64)


def power_below(sums: SpectrumSum, wavelengths: Float64, limit_km: float) -> float:
    """Sum of `rapsd` over wavelengths shorter than a limit; NaN without any field."""
    return ratio(float(sums.power[wavelengths < limit_km].sum()), sums.fields)


@dataclass(frozen=True)
class PowerSum:
    """Power at small scales, summed over frames."""

    forecast: float = 0.0
    observed: float = 0.0

    def __add__(self, other: PowerSum) -> PowerSum:
        return PowerSum(self.forecast + other.forecast, self.observed + other.observed)


def small_scale_sum(
    forecast: SpectrumSum, observed: SpectrumSum, shape: tuple[int, int], pixel_size_km: float
) -> PowerSum:
    """Power of both at wavelengths below `SMALL_SCALE_KM`, from spectra of fields of a shape (H, W)."""
    wavelengths = wavelengths_km(shape, pixel_size_km)
    return PowerSum(*(power_below(each, wavelengths, SMALL_SCALE_KM) for each in (forecast, observed)))


def power_ratio(sums: PowerSum) -> float:
    """Forecast / observed power at small scales: 1 is as detailed as real rain, 0 a blur; NaN if none is observed."""
    return ratio(sums.forecast, sums.observed)


def _length(shape: tuple[int, int]) -> int:
    """The number of wave numbers, without the highest one, which only an even side has."""
    return (max(shape) + 1) // 2


@lru_cache(maxsize=4)
def _rings(shape: tuple[int, int]) -> tuple[npt.NDArray[np.int64], Float64, Float64]:
    """For the half plane of rfft2: ring and weight of each coefficient, and the whole plane's count in each ring."""
    rows, columns = shape
    frequencies = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None])
    rings = (max(shape) * frequencies).round().astype(np.int64)
    weights = np.full(rings.shape, 2.0)  # each coefficient also stands for its mirrored one
    weights[:, 0] = 1
    if columns % 2 == 0:
        weights[:, -1] = 1
    members = np.bincount(rings.ravel(), weights.ravel()).astype(np.float64)
    return rings, weights, members
