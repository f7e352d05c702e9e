"""S-PROG: rain that moves on and loses each scale as fast as that scale changes in the very event.

Seed (2003, doi:10.1175/1520-0450(2003)042<0381:ADASAW>2.0.CO;2) in the form of Pulkkinen et al. (2019,
doi:10.5194/gmd-12-4185-2019). The last three frames in Lagrangian coordinates, in dB, are split into bands of scale.
Each band goes on by an autoregressive process of second order. Its coefficients are the band's own correlations from
frame to frame. The sum of the bands is smooth and too faint. So the wettest pixels, as many as are wet now, are given
the mean or the distribution of the rain that falls now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

import cv2
import numpy as np
import numpy.typing as npt

from radar.extrapolation.motion import carried, to_present
from radar.extrapolation.scales import Spectra, spectra
from radar.rain import WET_FROM
from radar.sequence import Float32

Float64 = npt.NDArray[np.float64]
Matching = Literal["mean", "cdf"]

FRAMES = 3
"""Frames that the correlations come from."""
DRY_DB = np.float32(-15)
"""dB of 1 mm/h of a dry pixel; drizzle fainter than that (0.032 mm/h) is lost."""
_DRY_UNTIL = DRY_DB + np.float32(2e-3)
"""dB below which a pixel is dry: it may be a hair off after an advection."""
_WET_DB = np.float32(10 * np.log10(WET_FROM) + 1e-4)
"""The least dB of a wet pixel; a hair more, since 0.1 mm/h has no exact value in either unit."""
_LEVELS = 6
_LARGEST = 0.9999
"""Correlation from one frame to the next: 1 would never lose anything."""
_SMALLEST_VARIANCE = 1e-18
_QUANTILES = 2048
"""Points of the distribution that is matched."""


def sprog(rain_rate: Float32, motion: Float32, steps: int, matching: Matching) -> Iterator[Float32]:
    """Forecast by S-PROG.

    Advection is in dB, too: between a dry pixel and a wet one lies drizzle. Drizzle below `WET_FROM` is carried along
    unchanged where nothing else falls.

    Parameters
    ----------
    rain_rate : float32 (T, H, W)
        mm/h, oldest first, three frames at least; NaN = no data.
    motion : float32 (2, H, W)
        Pixels per timestep: see `radar.extrapolation.motion`.
    steps : int
    matching : "mean" or "cdf"
        See `Course.forecast`.

    Yields
    ------
    float32 (H, W)
        mm/h for leads 1, 2, ...; NaN where the rain would come from no data.
    """
    observed = to_present(decibels(rain_rate[-FRAMES:]), motion)
    drizzle = drizzle_of(rain_rate[-1])
    frames = (np.maximum(frame, drizzle) for frame in course(observed).forecast(steps, matching))
    return map(rates, carried(frames, motion))


def decibels(rain_rate: Float32) -> Float32:
    """Convert mm/h to dB of 1 mm/h, `DRY_DB` below `WET_FROM`; NaN stays NaN."""
    return np.where(rain_rate < np.float32(WET_FROM), DRY_DB, any_decibels(rain_rate))


def any_decibels(rain_rate: Float32) -> Float32:
    """Convert mm/h to dB of 1 mm/h, drizzle below `WET_FROM` as well, `DRY_DB` at least; NaN stays NaN."""
    logarithm = cv2.log(np.maximum(rain_rate, np.float32(10 ** (DRY_DB / 10)))).reshape(rain_rate.shape)
    return cast(Float32, logarithm * np.float32(10 / np.log(10)))


def drizzle_of(rain_rate: Float32) -> Float32:
    """Rain that is too faint to be wet (H, W) in dB of 1 mm/h, `DRY_DB` where there is none; NaN stays NaN."""
    return np.where(rain_rate < np.float32(WET_FROM), any_decibels(rain_rate), any_decibels(rain_rate * 0))


def rates(db: Float32) -> Float32:
    """Convert dB of 1 mm/h to mm/h, 0 at the floor of `decibels`; NaN stays NaN."""
    return cast(Float32, cv2.exp(db * np.float32(np.log(10) / 10)) * (db >= _DRY_UNTIL))  # NaN times 0 is NaN


@dataclass(frozen=True)
class Course:
    """How one event goes on: fields for any lead time.

    Attributes
    ----------
    last : float32 (H, W)
        The newest frame in dB of 1 mm/h, NaN = no data.
    """

    last: Float32
    _layout: Spectra
    _newest: Float32
    _earlier: Float32
    _autoregression: _Autoregression

    def fields(self, steps: int) -> Iterator[Float32]:
        """Predict dB of 1 mm/h (H, W) for leads 1, 2, ... in Lagrangian coordinates, before any matching.

        Smooth, and too faint where it rains; also where there is no data.
        """
        bands = self._layout.bands(_LEVELS)
        for of_newest, of_earlier in self._autoregression.shares(steps):
            newest, earlier = of_newest @ bands, of_earlier @ bands
            newest[0], earlier[0] = 1, 0  # the mean of the field stays
            waves = self._layout.filtered(self._newest, newest) + self._layout.filtered(self._earlier, earlier)
            yield self._layout.field(waves)

    def matched_fields(self, steps: int) -> Iterator[Float32]:
        """As `fields`, each raised so that its wettest pixels have the mean of the wet ones of the last frame."""
        observed = _Observed(self._dry_where_missing())
        for field in self.fields(steps):
            yield field + observed.shift(field.ravel())

    def _dry_where_missing(self) -> Float32:
        """The last frame (N,), dry where it has no data."""
        return np.where(np.isnan(self.last), DRY_DB, self.last).ravel()

    def forecast(self, steps: int, matching: Matching) -> Iterator[Float32]:
        """Predict dB of 1 mm/h (H, W) for leads 1, 2, ... in Lagrangian coordinates; NaN where `last` is.

        With matching "mean" the wet pixels have the mean (in dB) of those of the last frame, with "cdf" their
        distribution. As many pixels are wet (`WET_FROM` or more) as in the last frame, and all others are dry. Some of
        the wet ones may lie where there is no data, as in pysteps. A dry frame stays dry.
        """
        missing = np.isnan(self.last)
        observed = _Observed(self._dry_where_missing())
        matched = observed.with_mean if matching == "mean" else observed.with_cdf
        for field in self.fields(steps):
            frame = matched(field.ravel()).reshape(field.shape)
            yield np.where(missing, np.float32(np.nan), frame)


def course(observed: Float32) -> Course:
    """The course of an event from its newest three frames.

    Parameters
    ----------
    observed : float32 (T, H, W)
        dB of 1 mm/h in Lagrangian coordinates, oldest first, at least three; NaN = no data. Spectra need a value
        everywhere, so it counts as dry in them.
    """
    layout = spectra(observed.shape[1:])
    filled = np.where(np.isnan(observed[-FRAMES:]), DRY_DB, observed[-FRAMES:])
    waves = [layout.of(frame, float(DRY_DB)) for frame in filled]
    return Course(observed[-1], layout, waves[-1], waves[-2], _autoregression(layout, waves))


@dataclass(frozen=True)
class _Autoregression:
    """A process of second order for each band (levels,), and the deviation of the last field over the earlier one's."""

    first: Float64
    second: Float64
    spread: Float64

    def shares(self, steps: int) -> Iterator[tuple[Float64, Float64]]:
        """For leads 1, 2, ...: each band (levels,) as so much of the last field and so much of the one before."""
        none, whole = np.zeros(len(self.first)), np.ones(len(self.first))
        newest, earlier = (whole, none), (none, whole)  # shares in the field of this lead, and of the one before it
        for _ in range(steps):
            newest = (self.first * newest[0] + self.second * newest[1], newest[0])
            earlier = (self.first * earlier[0] + self.second * earlier[1], earlier[0])
            yield newest[0], earlier[0] * self.spread


def _autoregression(layout: Spectra, waves: list[Float32]) -> _Autoregression:
    """From correlations between the last frame and the two before it, band by band, kept stationary."""
    bands = layout.bands(_LEVELS) ** 2

    def covariance(one: int, other: int) -> Float64:
        return np.asarray(bands @ layout.covariances(waves[one], waves[other]))

    spread = [np.sqrt(np.maximum(covariance(k, k), _SMALLEST_VARIANCE)) for k in range(FRAMES)]
    lag_one = np.clip(covariance(2, 1) / (spread[2] * spread[1]), -_LARGEST, _LARGEST)
    lag_two = covariance(2, 0) / (spread[2] * spread[0])
    lag_two = np.maximum(lag_two, 2 * lag_one * lag_two - 1)
    square = np.maximum(lag_one**2, 1e-12)
    lag_two = np.maximum(lag_two, (3 * square - 2 + 2 * (1 - square) ** 1.5) / square)
    rest = 1 - square
    return _Autoregression(lag_one * (1 - lag_two) / rest, (lag_two - square) / rest, spread[2] / spread[1])


class _Observed:
    """The last frame in dB (N,), dry where it has no data: what forecasts are matched with."""

    def __init__(self, last: Float32) -> None:
        self.rain = np.sort(last[last > _DRY_UNTIL])
        self.mean = np.float32(self.rain.mean() if len(self.rain) else 0)
        self._ranks = _ranks(len(self.rain))

    def with_mean(self, field: Float32) -> Float32:
        """A field (N,) whose wettest pixels have the mean of the wet ones; all others are dry."""
        wet = field >= _wettest(field, len(self.rain))
        return np.where(wet, np.maximum(field + self._lacking(field, wet), _WET_DB), DRY_DB)

    def shift(self, field: Float32) -> np.float32:
        """How many dB a field (N,) lacks for its wettest pixels to have the mean of the wet ones; 0 if none is wet."""
        return self._lacking(field, field >= _wettest(field, len(self.rain)))

    def _lacking(self, field: Float32, wet: npt.NDArray[np.bool_]) -> np.float32:
        return np.float32(self.mean - np.mean(field, where=wet)) if len(self.rain) else np.float32(0)

    def with_cdf(self, field: Float32) -> Float32:
        """Rain of the same distribution, given out in the order of a field (N,)."""
        matched = np.full(len(field), DRY_DB, np.float32)
        if len(self.rain):
            ordered = np.sort(field)[len(field) - len(self.rain) :]
            wet = field >= ordered[0]
            matched[wet] = np.interp(field[wet], ordered[self._ranks], self.rain[self._ranks])
        return matched


def _wettest(field: Float32, count: int) -> np.float32:
    """The value from which `count` pixels of a field (N,) are the wettest; infinite for none."""
    return np.float32(np.partition(field, len(field) - count)[len(field) - count]) if count else np.float32(np.inf)


def _ranks(count: int) -> npt.NDArray[np.int64]:
    """Ranks at which two sorted distributions of `count` values are compared: all of the highest, the others evenly."""
    evenly = np.linspace(0, count - 1, min(count, _QUANTILES)).astype(np.int64)
    return np.union1d(evenly, np.arange(max(0, count - _QUANTILES), count))
