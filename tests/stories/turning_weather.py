"""Showers that move and grow, or move back and decay: what a network learns of a regime is wrong in the other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import cv2
import numpy as np

from radar.grid import Grid
from radar.sequence import Float32, FrameSequence, times_after

GRID = Grid("unreferenced", (48, 48), 1.0)
"""As the service calls the grid of arrays that come without."""
PRODUCT = "SHOWERS"
STEP_MINUTES = 10
FRAMES = 14
"""Of a burst, two hours of showers."""
_SMOOTHNESS_KM = 6.0
_DECIBELS = 5.0
"""Of rain rate for each standard deviation: the flatter showers are, the more of them grows past 1 mm/h."""
_WET_FROM, _LARGEST = 0.3, 60.0
"""mm/h."""


@dataclass(frozen=True)
class Regime:
    """How far showers move with every timestep, in pixels towards east, and how often their rain doubles in one."""

    east: int
    doublings: float


WESTERLIES, EASTERLIES = Regime(1, 0.35), Regime(-1, -0.35)


def burst(end: datetime, regime: Regime, seed: int, frames: int = FRAMES) -> FrameSequence:
    """`frames` frames of showers up to `end`, other ones for every seed."""
    field = _field(seed)
    rain = [_rain(np.roll(field, step * regime.east, 1), regime, step - frames / 2) for step in range(frames)]
    times = times_after(end - timedelta(minutes=STEP_MINUTES * frames), frames, STEP_MINUTES)
    return FrameSequence(np.stack(rain), times, GRID, STEP_MINUTES, PRODUCT)


def _field(seed: int) -> Float32:
    """Smooth noise that goes on over its edges, mean 0, standard deviation 1; larger than the grid."""
    noise = np.random.default_rng(seed).standard_normal((128, 128)).astype(np.float32)
    smooth = cv2.GaussianBlur(np.tile(noise, (3, 3)), (0, 0), _SMOOTHNESS_KM)[128:256, 128:256]
    return np.asarray((smooth - smooth.mean()) / smooth.std(), np.float32)


def _rain(field: Float32, regime: Regime, step: float) -> Float32:
    """mm/h, in the steps that stores keep; half of the grid has 1 mm/h and more at step 0."""
    rows, columns = GRID.shape
    rate = np.power(np.float32(10), _DECIBELS / 10 * field[:rows, :columns]) * 2 ** (regime.doublings * step)
    kept = np.where(rate < _WET_FROM, 0, np.minimum(rate, _LARGEST))
    return (np.rint(kept / 0.012) * 0.012).astype(np.float32)
