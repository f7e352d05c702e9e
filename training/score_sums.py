"""What an evaluation adds up: the sums of every score, for one forecaster at one lead time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from radar.fss import FractionSum, fraction_sum, fss, scale_pixels
from radar.grid import Grid
from radar.sequence import Float32
from radar.spectrum import SpectrumSum, no_spectrum, power_below, spectrum_sum, wavelengths_km
from radar.verification import (
    ContingencyTable,
    ErrorSum,
    contingency,
    csi,
    error_sum,
    ets,
    far,
    frequency_bias,
    hss,
    mae,
    pod,
    ratio,
    rmse,
)
from training.score_table import SMALL_SCALE_KM, Score


@dataclass(frozen=True)
class Measure:
    """What is measured: thresholds in mm/h, and the width of FSS neighbourhoods in km."""

    thresholds: tuple[float, ...]
    fss_km: float


class LeadSums:
    """Sums of one forecaster at one lead time, over starts."""

    def __init__(self, measure: Measure, grid: Grid) -> None:
        self._measure, self._grid = measure, grid
        self._tables = dict.fromkeys(measure.thresholds, ContingencyTable())
        self._fractions = dict.fromkeys(measure.thresholds, FractionSum())
        self._errors = ErrorSum()
        self._power = self._observed_power = no_spectrum(grid.shape)

    def add(self, forecast: Float32, observed: Float32, observed_power: SpectrumSum) -> None:
        """Add one frame (H, W), both in mm/h and NaN at the same pixels; `observed_power` from `power_of`."""
        pixels = scale_pixels(self._measure.fss_km, self._grid.pixel_size_km)
        for threshold in self._measure.thresholds:
            self._tables[threshold] += contingency(forecast, observed, threshold)
            self._fractions[threshold] += fraction_sum(forecast, observed, threshold, pixels)
        self._errors += error_sum(forecast, observed)
        self._power += power_of(forecast)
        self._observed_power += observed_power

    def scores(self, model: str, event: str, lead_minutes: int, starts: int) -> list[Score]:
        """What the sums say, one `Score` for each threshold."""
        return [self._score(threshold, model, event, lead_minutes, starts) for threshold in self._measure.thresholds]

    def _score(self, threshold: float, model: str, event: str, lead_minutes: int, starts: int) -> Score:
        table = self._tables[threshold]
        return Score(
            model=model,
            event=event,
            lead_minutes=lead_minutes,
            threshold=threshold,
            csi=csi(table),
            pod=pod(table),
            far=far(table),
            bias=frequency_bias(table),
            hss=hss(table),
            ets=ets(table),
            fss=fss(self._fractions[threshold]),
            fss_km=self._measure.fss_km,
            mae=mae(self._errors),
            rmse=rmse(self._errors),
            small_scale_power=self._small_scale_power(),
            starts=starts,
            pixels=table.pixels,
        )

    def _small_scale_power(self) -> float:
        wavelengths = wavelengths_km(self._grid.shape, self._grid.pixel_size_km)
        said, seen = (power_below(power, wavelengths, SMALL_SCALE_KM) for power in (self._power, self._observed_power))
        return ratio(said, seen)


def power_of(rain_rate: Float32) -> SpectrumSum:
    """The spectrum of a frame (H, W) for the ratio of two that miss the same pixels: these are cut out of both."""
    return spectrum_sum(np.nan_to_num(rain_rate, nan=0.0))


def add_start(sums: Mapping[str, list[LeadSums]], forecasts: Mapping[str, Float32], observed: Float32) -> None:
    """Add forecasts (steps, H, W) of one start, all on the pixels that are observed and that all of them forecast."""
    for lead, seen in enumerate(observed):
        known = np.isfinite(seen)
        for forecast in forecasts.values():
            known &= np.isfinite(forecast[lead])
        truth = np.where(known, seen, np.float32(np.nan))
        power = power_of(truth)
        for name, forecast in forecasts.items():
            sums[name][lead].add(np.where(known, forecast[lead], np.float32(np.nan)), truth, power)
