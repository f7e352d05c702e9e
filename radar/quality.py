"""Quality control of frames: absurd rain, jumps and frozen fields are found before they affect a forecast.

The limits leave room for the storm of a century. The extremes of 482 real frames of nine events in five countries
(docs/lab/archive-and-feed.md) are: 1e-5 of the pixels above 200 mm/h, a mean of 4.9 mm/h, a wet area that grew by
0.047 of the field in ten minutes, and 0.028 of the pixels lost between two frames. No field came twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from radar.rain import WET_FROM
from radar.sequence import Float32, FrameSequence

HEAVIEST_MM_PER_HOUR = 1000.0
"""Larger numbers are not rain rates: they have another unit, or are marks."""

Reason = Literal["maximum", "wet_area", "frozen", "missing"]


@dataclass(frozen=True)
class QualityLimits:
    """The limits of a plausible frame; rates in mm/h, fractions of the pixels with data unless noted.

    Parameters
    ----------
    heavy, heavy_fraction : float
        At most this fraction of the field may exceed `heavy`: single pixels of hail or clutter do not spoil a frame.
    mean : float
        Largest mean over all pixels with data; reflectivity sent as rain rates exceeds it.
    wet : float
        The least rate of a wet pixel.
    wet_change : float
        The largest change of the wet fraction between two frames, over pixels with data in both.
    missing_growth : float
        The largest fraction of the whole grid that may lose its data between two frames.
    jump_within : timedelta
        Frames further apart are not compared for jumps, so that a lasting change is accepted after this time.
    frozen_within : timedelta
        How far back the same field is searched.
    frozen_wet_pixels : int
        Fields with fewer wet pixels may repeat: residual clutter over a dry country does.
    frozen_tolerance : float
        Rates that differ by less count as equal: stored frames are rounded to 0.012 mm/h.
    fewest_pixels : int
        Areas are checked on at least this many pixels with data; one shower can cover a smaller grid.
    """

    heavy: float = 250.0
    heavy_fraction: float = 1e-3
    mean: float = 20.0
    wet: float = WET_FROM
    wet_change: float = 0.15
    missing_growth: float = 0.15
    jump_within: timedelta = timedelta(minutes=15)
    frozen_within: timedelta = timedelta(minutes=60)
    frozen_wet_pixels: int = 500
    frozen_tolerance: float = 0.01
    fewest_pixels: int = 10_000


@dataclass(frozen=True)
class Flaw:
    """Why a frame is rejected: the limit, and the value found."""

    reason: Reason
    expected: str
    got: str


LIMITS = QualityLimits()


def find_flaws(
    frames: FrameSequence, before: FrameSequence | None = None, limits: QualityLimits = LIMITS
) -> dict[datetime, Flaw]:
    """The flaws of rejected frames, by their times; empty if all frames pass.

    Each frame is compared with the last accepted one before it.

    Parameters
    ----------
    frames : FrameSequence
        Rates in mm/h, NaN = no data.
    before : FrameSequence or None
        One earlier frame of the same product and grid, if there is one.
    limits : QualityLimits
    """
    flaws: dict[datetime, Flaw] = {}
    last = None if before is None else (before.rain_rate[-1], before.valid_times[-1])
    for rain, time in zip(frames.rain_rate, frames.valid_times, strict=True):
        flaw = _absurd(rain, limits) or (_unlike(rain, last[0], time - last[1], limits) if last else None)
        if flaw is None:
            last = (rain, time)
        else:
            flaws[time] = flaw
    return flaws


def _absurd(rain: Float32, limits: QualityLimits) -> Flaw | None:
    """A flaw if there is more rain than any country ever had at one time."""
    known = rain[np.isfinite(rain)]
    if known.size < limits.fewest_pixels:
        return None
    heavy = float((known > limits.heavy).mean())
    if heavy > limits.heavy_fraction:
        wanted = f"more than {limits.heavy:g} mm/h on at most {limits.heavy_fraction:.1%} of the field"
        return Flaw("maximum", wanted, f"on {heavy:.1%}, up to {known.max():.0f} mm/h")
    mean = float(known.mean(dtype=np.float64))
    if mean > limits.mean:
        return Flaw("maximum", f"at most {limits.mean:g} mm/h on average", f"{mean:.1f} mm/h")
    return None


def _unlike(rain: Float32, before: Float32, apart: timedelta, limits: QualityLimits) -> Flaw | None:
    """A flaw if the frame changed faster than weather can, or not at all; only frames of one shape are compared."""
    if rain.shape != before.shape or apart <= timedelta():
        return None
    if apart <= limits.frozen_within and (flaw := _frozen(rain, before, apart, limits)):
        return flaw
    if apart <= limits.jump_within:
        return _lost(rain, before, limits) or _jump(rain, before, limits)
    return None


def _frozen(rain: Float32, before: Float32, apart: timedelta, limits: QualityLimits) -> Flaw | None:
    wet = int((rain >= limits.wet).sum())
    if wet < limits.frozen_wet_pixels or not _same(rain, before, limits.frozen_tolerance):
        return None
    minutes = f"{apart.total_seconds() / 60:g} minutes"
    return Flaw("frozen", f"rain that moves or changes in {minutes}", f"the same field with {wet} wet pixels")


def _same(rain: Float32, before: Float32, tolerance: float) -> bool:
    """Whether two fields are the same; a sample is compared first, which nearly always suffices."""
    pairs = ((rain[::7, ::7], before[::7, ::7]), (rain, before))
    return all(np.allclose(now, then, rtol=1e-5, atol=tolerance, equal_nan=True) for now, then in pairs)


def _lost(rain: Float32, before: Float32, limits: QualityLimits) -> Flaw | None:
    growth = float(np.isnan(rain).mean() - np.isnan(before).mean())
    if rain.size < limits.fewest_pixels or growth <= limits.missing_growth:
        return None
    wanted = f"at most {limits.missing_growth:.0%} of the grid without data that had data before"
    return Flaw("missing", wanted, f"{growth:.0%}")


def _jump(rain: Float32, before: Float32, limits: QualityLimits) -> Flaw | None:
    both = np.isfinite(rain) & np.isfinite(before)
    count = int(both.sum())
    if count < limits.fewest_pixels:
        return None
    now, then = (float((field[both] >= limits.wet).mean()) for field in (rain, before))
    if abs(now - then) <= limits.wet_change:
        return None
    wanted = f"a wet area that changes by at most {limits.wet_change:.0%} of the field"
    return Flaw("wet_area", wanted, f"{then:.0%} before and {now:.0%} now")
