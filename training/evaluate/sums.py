"""The sums of an evaluation: every score, frame by frame, so that any starts can be combined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from radar.grid import Grid
from radar.rain import RainScaling
from radar.scores.balanced import balanced_error_sum, balanced_weight
from radar.scores.image_quality import ssim_sum
from radar.scores.measure import Measure
from radar.scores.pixels import Float64, error_sum
from radar.scores.probability import MeanSum, brier_sum, crps_sum
from radar.scores.spectrum import SpectrumSum, power_below, spectrum_sum, wavelengths_km
from radar.sequence import Float32

SMALL_SCALE_KM = 8.0
"""Wavelengths below this count as small-scale."""
UNITS = RainScaling()
"""The network units of every method's SSIM, PSNR and balanced errors, whatever its own are."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Additive sums of one forecaster; `...` are the same axes for all: none, starts, or starts and leads.

    Parameters
    ----------
    tables : float64 (..., thresholds, 4)
        `ContingencyTable`.
    fractions : float64 (..., thresholds, scales, 2)
        `FractionSum`.
    errors, unit_errors, balanced : float64 (..., 3)
        `ErrorSum` in mm/h, in network units, and weighted by rain in network units.
    similarity : float64 (..., 2)
        `MeanSum` of SSIM.
    small_scale : float64 (..., 2)
        Power at wavelengths below `SMALL_SCALE_KM`, forecast and observed.
    brier : float64 (..., thresholds, 2)
        `MeanSum`.
    crps : float64 (..., 2)
        `MeanSum`; zeros of what is no ensemble.
    """

    tables: Float64
    fractions: Float64
    errors: Float64
    unit_errors: Float64
    balanced: Float64
    similarity: Float64
    small_scale: Float64
    brier: Float64
    crps: Float64

    def each(self, change: Callable[[Float64], Float64]) -> Sums:
        """All sums changed in one way, e.g. added over starts."""
        return Sums(**{field.name: change(getattr(self, field.name)) for field in fields(self)})


def stack(parts: Sequence[Sums]) -> Sums:
    """Sums with a new first axis."""
    return Sums(**{field.name: np.stack([getattr(part, field.name) for part in parts]) for field in fields(Sums)})


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame (H, W) as the scores see it: in mm/h, in network units, and its power spectrum."""

    rain_rate: Float32
    units: Float32
    power: SpectrumSum


def look(rain_rate: Float32) -> Frame:
    """A frame for comparison with another that misses the same pixels: its spectrum has them cut out."""
    return Frame(rain_rate, UNITS.to_network(rain_rate), spectrum_sum(np.nan_to_num(rain_rate, nan=0.0)))


def frame_sums(
    said: Frame,
    seen: Frame,
    probabilities: Sequence[Float32],
    ensemble: Float32 | None,
    measure: Measure,
    grid: Grid,
) -> Sums:
    """The sums of one forecast frame, without any leading axis.

    Parameters
    ----------
    said, seen : Frame
        Forecast and observation, NaN at the same pixels.
    probabilities : float32 (H, W) for each threshold of `measure`
    ensemble : float32 (M, H, W) or None
        mm/h, where the forecast is one.
    """
    observed = seen.rain_rate
    sums = measure.sums(said.rain_rate, observed, grid.pixel_size_km)
    weight, wavelengths = balanced_weight(observed), wavelengths_km(grid.shape, grid.pixel_size_km)
    pairs = zip(probabilities, measure.thresholds, strict=True)
    return Sums(
        tables=measure.counts(sums),
        fractions=measure.fractions(sums),
        errors=measure.errors(sums),
        unit_errors=np.array(astuple(error_sum(said.units, seen.units)), np.float64),
        balanced=np.array(astuple(balanced_error_sum(said.units, seen.units, weight)), np.float64),
        similarity=np.array(astuple(ssim_sum(said.units, seen.units)), np.float64),
        small_scale=np.array([power_below(frame.power, wavelengths, SMALL_SCALE_KM) for frame in (said, seen)]),
        brier=np.array([astuple(brier_sum(said_so, observed, limit)) for said_so, limit in pairs], np.float64),
        crps=np.array(astuple(MeanSum() if ensemble is None else crps_sum(ensemble, observed)), np.float64),
    )
