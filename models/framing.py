"""Frames of rain as the input of a network, and the base of its outputs; the same in training and in service.

With `coordinates` "lagrangian" everything happens in the frame of the moving rain: the input frames are advected to
the present along the motion field, the network predicts growth and decay there, and the forecast is advected
out. With a `base` other than "none" the network predicts the difference from it: from the last frame ("persistence"),
from the last frame smoothed for each lead time ("smoothed"), or from S-PROG ("sprog").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from radar.extrapolation.motion import Smoothing, carried, carry_each, motion_field, to_present
from radar.extrapolation.sprog import FRAMES, course, decibels
from radar.rain import RainScaling
from radar.sequence import Float32

_LOWEST_BASE = -0.1


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
    base : "none", "persistence", "smoothed" or "sprog"
    smoothing : Smoothing
        Used with base "smoothed".
    """

    timestep_minutes: int = 5
    pixel_size_km: float = 1.0
    input_length: int = 5
    scaling: RainScaling = RainScaling()
    coordinates: Literal["eulerian", "lagrangian"] = "eulerian"
    base: Literal["none", "persistence", "smoothed", "sprog"] = "none"
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

    def _base_frame(self, last: Float32, lead: int) -> Float32:
        """The base (H, W) of the network's output for a lead (1, 2, ...) in network units; NaN where `last` is NaN.

        `last` is the last observed frame in mm/h.
        """
        if self.base == "none":
            return np.where(np.isnan(last), np.float32(np.nan), np.float32(0))
        if self.base == "persistence":
            return self.scaling.to_network(last)
        smoothed = self.smoothing.apply(last, lead * self.timestep_minutes, self.pixel_size_km)
        return self.scaling.to_network(smoothed)

    def bases(self, observed: Float32, leads: int) -> Iterator[Float32]:
        """The base (H, W) in network units of leads 1, 2, ..., from frames (T, H, W) in mm/h; NaN where the last is.

        `observed` is in the network's coordinates. The base "sprog" is matched in the mean and has no mask of wet
        pixels, so that dry pixels near rain differ from those far away; it may be a little below 0.
        """
        if self.base != "sprog":
            yield from (self._base_frame(observed[-1], lead) for lead in range(1, leads + 1))
            return
        missing = np.isnan(observed[-1])
        for field in course(decibels(observed[-FRAMES:])).matched_fields(leads):
            units = np.clip(self.scaling.decibels_to_network(field), _LOWEST_BASE, 1)
            yield np.where(missing, np.float32(np.nan), units)

    def channels(self, rain_rate: Float32, names: tuple[str, ...]) -> Float32:
        """Frames (T, H, W) in mm/h as network inputs (T, len(names), H, W); NaN becomes rain 0, coverage 0."""
        units = self.scaling.to_network(rain_rate)
        known = np.isfinite(rain_rate).astype(np.float32)
        last = np.broadcast_to(units[-1], units.shape)
        parts = {"rain": units, "coverage": known, "phase": np.zeros_like(units), "last": last}
        return np.asarray(np.nan_to_num(np.stack([parts[name] for name in names], axis=1), nan=0.0), np.float32)

    def base_channels(self, base: Float32, lead: int, newest: Float32) -> Float32:
        """The base (B, 1, H, W) of a lead as network inputs for the output "exceedance": `EXCEEDANCE_INPUTS`.

        `newest` (B, inputs, H, W) are the inputs of the last observed frame.
        """
        phase = np.full_like(base, self.phase(lead))
        return np.concatenate([base, newest[:, 1:2], phase, newest[:, :1]], axis=1)

    def phase(self, lead: int) -> float:
        """The lead time of a lead (1, 2, ...) in hours."""
        return lead * self.timestep_minutes / 60
