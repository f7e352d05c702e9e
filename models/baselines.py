"""Forecasters that learn nothing; every model has to beat them. A new one is a class and an entry of `BASELINES`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Protocol, get_args

import numpy as np

from models.forecaster import Forecaster, forecast_after, newest_frames
from radar.extrapolation.motion import Smoothing, carried, hold_inflow, motion_field
from radar.extrapolation.sprog import Matching, sprog
from radar.sequence import Float32, FrameSequence


class Baseline(Forecaster, Protocol):
    """A forecaster that learns nothing: a frozen dataclass with `name` and `input_length`."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def fewest_frames(self) -> int:
        """The least number of frames; `input_length` frames are better."""

    @property
    def beside_every_model(self) -> bool:
        """Whether it is also scored in hindcasts, in trials of challengers and in the live service."""


@dataclass(frozen=True)
class Persistence:
    """The current rain stays unchanged: Eulerian persistence."""

    name: str = "persistence"
    input_length: int = 1
    fewest_frames: ClassVar[int] = 1
    beside_every_model: ClassVar[bool] = True

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """Repeat the last frame; NaN stays NaN."""
        last = newest_frames(history, self.input_length).rain_rate[-1]
        return forecast_after(history, np.repeat(last[None], steps, axis=0))


@dataclass(frozen=True)
class Extrapolation:
    """The current rain moves without change: Lagrangian persistence."""

    name: str = "extrapolation"
    input_length: int = 5
    fewest_frames: ClassVar[int] = 2
    beside_every_model: ClassVar[bool] = True

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """Carry the last frame along the motion of the newest frames."""
        rain_rate = newest_frames(history, self.input_length).rain_rate
        return _moved(history, [rain_rate[-1]] * steps, rain_rate)


@dataclass(frozen=True)
class SmoothedExtrapolation:
    """Extrapolation that loses detail with lead time: the control for claims of skill."""

    name: str = "smoothed"
    input_length: int = 5
    smoothing: Smoothing = Smoothing()
    fewest_frames: ClassVar[int] = 2
    beside_every_model: ClassVar[bool] = False

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """Smooth the last frame for each lead time, then carry it there."""
        rain_rate = newest_frames(history, self.input_length).rain_rate
        minutes, pixel = history.timestep_minutes, history.grid.pixel_size_km
        frames = (self.smoothing.apply(rain_rate[-1], minutes * lead, pixel) for lead in range(1, steps + 1))
        return _moved(history, frames, rain_rate)


@dataclass(frozen=True)
class SProg:
    """S-PROG: the rain moves on, and each scale fades as fast as it changes in this very event.

    See `radar.extrapolation.sprog`; "mean" and "cdf" are the two ways in which pysteps matches it with the rain of now.
    """

    name: str
    matching: Matching
    input_length: int = 5
    fewest_frames: ClassVar[int] = 3
    beside_every_model: ClassVar[bool] = True

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """S-PROG in Lagrangian coordinates, carried along the motion of the newest frames."""
        rain_rate = newest_frames(history, self.input_length).rain_rate
        motion = motion_field(rain_rate)
        frames = sprog(rain_rate, motion, steps, self.matching)
        return forecast_after(history, np.stack(list(hold_inflow(frames, rain_rate[-1]))))


def _moved(history: FrameSequence, frames: Iterable[Float32], rain_rate: Float32) -> FrameSequence:
    """Frames for leads 1, 2, ... carried along the motion of `rain_rate` (T, H, W)."""
    moved = carried(frames, motion_field(rain_rate))
    return forecast_after(history, np.stack(list(hold_inflow(moved, rain_rate[-1]))))


_ALL: tuple[Baseline, ...] = (
    Persistence(),
    Extrapolation(),
    SmoothedExtrapolation(),
    SProg("sprog-cdf", "cdf"),
    SProg("sprog-mean", "mean"),
)
BASELINES: dict[str, Baseline] = {baseline.name: baseline for baseline in _ALL}
"""Baselines by name, from the easiest to beat to the hardest."""

AREAS_OF = "sprog-cdf"
"""The baseline whose areas all methods have in scores at equal area: as much rain as in the last frame."""


StandIn = Literal["sprog-cdf", "extrapolation", "persistence"]
STAND_INS: tuple[StandIn, ...] = get_args(StandIn)
"""Baselines in place of a model that cannot forecast, the best first; each needs fewer frames than the one before."""


def beside_every_model() -> tuple[Baseline, ...]:
    """The baselines that are scored beside every model."""
    return tuple(baseline for baseline in BASELINES.values() if baseline.beside_every_model)


def reference_of(models: Iterable[str]) -> str | None:
    """The hardest baseline among methods by name, with which the others are compared; None without any."""
    there = set(models)
    return next((name for name in reversed(BASELINES) if name in there), None)


def stand_in(frames: int) -> StandIn:
    """The best baseline that so many frames (1 or more) are enough for, in place of a model."""
    return next(name for name in STAND_INS if BASELINES[name].fewest_frames <= frames)


def is_baseline(forecaster: Forecaster) -> bool:
    """Whether a forecaster learns nothing."""
    return isinstance(forecaster, tuple(type(baseline) for baseline in BASELINES.values()))


def from_frames(baseline: Baseline, frames: int) -> Forecaster | None:
    """The baseline for a number of frames; None if they are too few."""
    return replace(baseline, input_length=frames) if frames >= baseline.fewest_frames else None
