"""STEPS of pysteps, which meteorological offices run for probabilities, as a forecaster; needs pysteps.

Bowler, Pierce and Seed (2006), doi:10.1256/qj.04.100, with the defaults of pysteps (Pulkkinen et al., 2019,
doi:10.5194/gmd-12-4185-2019) and its Lucas-Kanade motion.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from typing import Any, cast

import numpy as np

from models.forecaster import forecast_after, newest_frames
from radar.sequence import Float32, FrameSequence

NAME = "steps"
_DRY_DB, _THRESHOLD_DB = -15.0, -10.0
"""As pysteps' own examples have them: 0.1 mm/h, and what is below it."""


@dataclass(frozen=True)
class Steps:
    """An ensemble; `forecast` is its mean. Its noise depends on the frames only, so that it can be repeated."""

    name: str = NAME
    input_length: int = 5
    members: int = 20

    def __post_init__(self) -> None:
        if find_spec("pysteps") is None:
            raise ValueError(
                "expected pysteps for the baseline steps, got an environment without it; "
                "pip install pysteps opencv-python-headless, or leave the baseline out"
            )

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """The mean of the members in mm/h; NaN where a member is."""
        return forecast_after(history, self.ensemble(history, steps).mean(axis=0))

    def ensemble(self, history: FrameSequence, steps: int) -> Float32:
        """Members (M, steps, H, W) in mm/h; NaN where pysteps forecasts none, or where the last frame is."""
        frames = newest_frames(history, self.input_length).rain_rate
        missing = np.isnan(frames[-1])
        rain = np.zeros((self.members, steps, *missing.shape), np.float32)
        if (frames[-1] >= 0.1).any():  # of a dry picture pysteps makes no ensemble
            rain = self._members(frames, history, steps)
        rain[:, :, missing] = np.nan
        return rain

    def _members(self, frames: Float32, history: FrameSequence, steps: int) -> Float32:
        decibels = _decibels(frames)
        with redirect_stdout(StringIO()):  # it prints its settings, and those files that it found
            motion, nowcast = _of_pysteps()
            found = nowcast(
                decibels[-3:],
                motion(decibels),
                steps,
                n_ens_members=self.members,
                n_cascade_levels=6,
                precip_thr=_THRESHOLD_DB,
                kmperpixel=history.grid.pixel_size_km,
                timestep=history.timestep_minutes,
                seed=zlib.crc32(frames[-1].tobytes()),
            )
        rain = np.where(found >= _THRESHOLD_DB, 10 ** (found / 10), 0)
        return np.where(np.isnan(found), np.nan, rain).astype(np.float32)


def _of_pysteps() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Its Lucas-Kanade and its STEPS."""
    from pysteps.motion.lucaskanade import dense_lucaskanade
    from pysteps.nowcasts.steps import forecast

    logging.getLogger("pysteps").setLevel(logging.ERROR)
    return cast(Callable[..., Any], dense_lucaskanade), cast(Callable[..., Any], forecast)


def _decibels(frames: Float32) -> np.ndarray:
    """Frames in dB of 1 mm/h, where dry and missing pixels are dry: STEPS has no place for missing ones."""
    rain = np.nan_to_num(frames)
    return np.where(rain >= 0.1, 10 * np.log10(np.maximum(rain, 0.1)), _DRY_DB)
