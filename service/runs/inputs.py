"""The input frames of a forecast when some of the stored ones are missing, and the remarks on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from models.baselines import Extrapolation, Persistence
from models.forecaster import Forecaster
from radar.extrapolation.motion import halfway
from radar.sequence import FrameSequence, iso
from radar.times import runs
from service.history.codec import StoredFrame, decode_one
from service.runs.run import Method


@dataclass(frozen=True)
class Inputs:
    """The input of a forecast.

    Parameters
    ----------
    frames : FrameSequence
        Without gaps, up to the newest stored frame.
    observed : tuple of datetime
        The times of the observed ones among its frames.
    method : "model", "extrapolation" or "persistence"
        The best method for this number of frames.
    degraded : str or None
        The missing frames, and their replacement.
    """

    frames: FrameSequence
    observed: tuple[datetime, ...]
    method: Method
    degraded: str | None

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """The replacements of missing frames, as words for counters: "filled", "extrapolation", "persistence"."""
        filled = len(self.observed) < len(self.frames)
        return ("filled",) * filled + ((self.method,) if self.method != "model" else ())


def collect_inputs(stored: Sequence[StoredFrame], wanted: int, model: str) -> Inputs:
    """The inputs of a model that reads `wanted` frames.

    One missing frame is filled along the motion between its neighbours, if both exist. If the frames that then lead up
    to the newest one without a gap are too few for the model, the method is extrapolation, and for a single frame
    persistence.

    Parameters
    ----------
    stored : sequence of StoredFrame
        Frames of one series, oldest first, at least one; `wanted` + 1 are enough.
    """
    newest = stored[-1].header
    there = {frame.valid_time: frame for frame in stored if frame.header.grid == newest.grid}
    times, filled = _gapless(there, newest.valid_time, timedelta(minutes=newest.timestep_minutes), wanted)
    frames = FrameSequence(
        rain_rate=np.stack([_rain(there, time, times) for time in times]),
        valid_times=tuple(times),
        grid=newest.grid,
        timestep_minutes=newest.timestep_minutes,
        product=newest.product,
    )
    method: Method = "model" if len(times) == wanted else "extrapolation" if len(times) > 1 else "persistence"
    observed = tuple(time for time in times if time != filled)
    return Inputs(frames, observed, method, _degraded(method, len(observed), wanted, filled, model))


def forecaster_for(method: Method, frames: int, model: Forecaster) -> Forecaster:
    """The forecaster for a method and a number of frames: `model`, or its stand-in."""
    if method == "model":
        return model
    return Persistence() if method == "persistence" else Extrapolation(input_length=frames)


def together(*reasons: str | None) -> str | None:
    """Several reasons why an answer is degraded, as one text; None without any."""
    return "; ".join(reason for reason in reasons if reason) or None


def _gapless(
    there: dict[datetime, StoredFrame], newest: datetime, step: timedelta, wanted: int
) -> tuple[list[datetime], datetime | None]:
    """Up to `wanted` times that lead up to the newest one, and the one among them to fill."""
    in_phase = sorted(time for time in there if (newest - time) % step == timedelta())
    *earlier, last = runs(in_phase, step)
    gap = last[0] - step
    if len(last) >= wanted or not earlier or earlier[-1][-1] != gap - step:
        return last[-wanted:], None
    return [*earlier[-1], gap, *last][-wanted:], gap


def _rain(there: dict[datetime, StoredFrame], time: datetime, times: Sequence[datetime]) -> np.ndarray:
    if time in there:
        return decode_one(there[time])
    step = times[1] - times[0]
    return halfway(decode_one(there[time - step]), decode_one(there[time + step]))


def _degraded(method: Method, observed: int, wanted: int, filled: datetime | None, model: str) -> str | None:
    gap = f"the frame of {iso(filled)} is missing and was filled along the motion of the rain" if filled else None
    short = f"{observed} of {wanted} frames: {method} instead of model {model}" if method != "model" else None
    return together(gap, short)
