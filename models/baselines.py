"""The simplest forecasters; every model has to beat them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from models.forecaster import forecast_after, newest_frames
from radar.extrapolation.motion import Smoothing, carried, hold_inflow, motion_field
from radar.sequence import Float32, FrameSequence


@dataclass(frozen=True)
class Persistence:
    """It goes on raining just as now: Eulerian persistence."""

    name: str = "persistence"
    input_length: int = 1

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """Repeat the last frame; NaN stays NaN."""
        last = newest_frames(history, self.input_length).rain_rate[-1]
        return forecast_after(history, np.repeat(last[None], steps, axis=0))


@dataclass(frozen=True)
class Extrapolation:
    """The rain moves on unchanged: Lagrangian persistence."""

    name: str = "extrapolation"
    input_length: int = 5

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """Carry the last frame along the motion of the newest frames."""
        rain_rate = newest_frames(history, self.input_length).rain_rate
        return _moved(history, [rain_rate[-1]] * steps, rain_rate)


@dataclass(frozen=True)
class SmoothedExtrapolation:
    """Extrapolation that loses detail with lead time: the control for every claim of skill."""

    name: str = "smoothed"
    input_length: int = 5
    smoothing: Smoothing = Smoothing()

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """Smooth the last frame for each lead time, then carry it there."""
        rain_rate = newest_frames(history, self.input_length).rain_rate
        minutes, pixel = history.timestep_minutes, history.grid.pixel_size_km
        frames = (self.smoothing.apply(rain_rate[-1], minutes * lead, pixel) for lead in range(1, steps + 1))
        return _moved(history, frames, rain_rate)


def _moved(history: FrameSequence, frames: Iterable[Float32], rain_rate: Float32) -> FrameSequence:
    """Frames for leads 1, 2, ... carried along the motion of `rain_rate` (T, H, W)."""
    moved = carried(frames, motion_field(rain_rate))
    return forecast_after(history, np.stack(list(hold_inflow(moved, rain_rate[-1]))))
