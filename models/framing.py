"""Frames of rain as the input of a network, and the base of its outputs; the same in training and in service.

With `coordinates` "lagrangian" everything happens in the frame of the moving rain: the input frames are advected to
the present along the motion field, the network predicts growth and decay there, and the forecast is advected
out. With a `base` other than "none" the network predicts the difference from it: from the last frame ("persistence"),
or from the last frame smoothed for each lead time ("smoothed").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from radar.extrapolation.motion import Smoothing, carried, carry_each, motion_field, to_present
from radar.rain import RainScaling
from radar.sequence import Float32


@dataclass(frozen=True)
class Framing:
    """The input and output of a network: its frames, its coordinates and its base.

    Parameters
    ----------
    timestep_minutes : int
    pixel_size_km : float
    input_length : int
        Number of input frames.
    scaling : RainScaling
    coordinates : "eulerian" or "lagrangian"
    base : "none", "persistence" or "smoothed"
    smoothing : Smoothing
        Used with base "smoothed".
    """

    timestep_minutes: int = 5
    pixel_size_km: float = 1.0
    input_length: int = 5
    scaling: RainScaling = RainScaling()
    coordinates: Literal["eulerian", "lagrangian"] = "eulerian"
    base: Literal["none", "persistence", "smoothed"] = "none"
    smoothing: Smoothing = Smoothing()

    def motion(self, rain_rate: Float32) -> Float32 | None:
        """The motion field of observed frames (T, H, W), or None in Eulerian coordinates."""
        return motion_field(rain_rate) if self.coordinates == "lagrangian" else None

    def inputs(self, rain_rate: Float32, motion: Float32 | None) -> Float32:
        """Observed frames (T, H, W) in mm/h in the network's coordinates; NaN where the rain comes from no data."""
        return rain_rate if motion is None else to_present(rain_rate, motion)

    def targets(self, rain_rate: Float32, motion: Float32 | None) -> Float32:
        """Later frames (K, H, W), leads 1 to K, in the network's coordinates: the targets of its predictions."""
        return rain_rate if motion is None else carry_each(rain_rate, motion, direction=-1)

    def outputs(self, rain_rate: Iterable[Float32], motion: Float32 | None) -> Iterator[Float32]:
        """Predictions (H, W), leads 1, 2, ..., converted lazily from the network's coordinates to fixed ones."""
        return iter(rain_rate) if motion is None else carried(rain_rate, motion)

    def base_frame(self, last: Float32, lead: int) -> Float32:
        """The base (H, W) of the network's output for a lead (1, 2, ...) in network units; NaN where `last` is NaN.

        `last` is the last observed frame in mm/h.
        """
        if self.base == "none":
            return np.where(np.isnan(last), np.float32(np.nan), np.float32(0))
        if self.base == "persistence":
            return self.scaling.to_network(last)
        smoothed = self.smoothing.apply(last, lead * self.timestep_minutes, self.pixel_size_km)
        return self.scaling.to_network(smoothed)

    def base_frames(self, last: Float32, leads: int) -> Float32:
        """The base of leads 1 to `leads`, (leads, H, W)."""
        return np.stack([self.base_frame(last, lead) for lead in range(1, leads + 1)])

    def channels(self, rain_rate: Float32, names: tuple[str, ...]) -> Float32:
        """Frames (T, H, W) in mm/h as network inputs (T, len(names), H, W); NaN becomes rain 0, coverage 0."""
        units = [self.scaling.to_network(rain_rate)]
        if "coverage" in names:
            units.append(np.isfinite(rain_rate).astype(np.float32))
        return np.nan_to_num(np.stack(units, axis=1), nan=0.0)
