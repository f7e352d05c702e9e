"""The simplest forecasters; every model has to beat them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.forecaster import forecast_after, newest_frames
from radar.motion import Smoothing, carry_each, extrapolate, motion_field
from radar.sequence import FrameSequence


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
    """The rain moves on unchanged: Lagrangian persistence. NaN where it would come from outside the data."""

    name: str = "extrapolation"
    input_length: int = 5

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """Carry the last frame along the motion of the newest frames."""
        rain_rate = newest_frames(history, self.input_length).rain_rate
        moved = extrapolate(rain_rate[-1], motion_field(rain_rate), steps)
        return forecast_after(history, np.where(np.isnan(rain_rate[-1]), np.float32(np.nan), moved))


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
        moved = carry_each(frames, motion_field(rain_rate))
        return forecast_after(history, np.where(np.isnan(rain_rate[-1]), np.float32(np.nan), moved))
