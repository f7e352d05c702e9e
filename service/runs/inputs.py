"""The frames that a forecast starts from when some of the stored ones are missing, and what is then said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from models.baselines import BASELINES, stand_in
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
        Those of its frames that were observed.
    method : "model" or one of `models.baselines.STAND_INS`
        The best that so many frames allow.
    degraded : str or None
        The missing frames, and their replacement.
    """

    frames: FrameSequence
    observed: tuple[datetime, ...]
    method: Method
    degraded: str | None

    @property
    def shortfalls(self) -> tuple[str, ...]:
        """What was done about missing frames, in words to count by: "filled", or the stand-in's name."""
        filled = len(self.observed) < len(self.frames)
        return ("filled",) * filled + ((self.method,) if self.method != "model" else ())


def collect_inputs(stored: Sequence[StoredFrame], wanted: int, model: str) -> Inputs:
    """The inputs of a model that reads `wanted` frames.

    One missing frame is filled along the motion between its neighbours, if both are there. Of what then leads up to the
    newest frame without a gap, too few frames for the model make a forecast by S-PROG, two an extrapolation,
    a single one persistence.

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
    method: Method = "model" if len(times) == wanted else stand_in(len(times))
    observed = tuple(time for time in times if time != filled)
    return Inputs(frames, observed, method, _degraded(method, len(observed), wanted, filled, model))


def forecaster_for(method: Method, frames: int, model: Forecaster) -> Forecaster:
    """What makes a forecast of so many frames: `model`, or the method that stands in for it."""
    return model if method == "model" else replace(BASELINES[method], input_length=frames)


def together(*reasons: str | None) -> str | None:
    """Several reasons why an answer is degraded, as one text; None without any."""
    return "; ".join(reason for reason in reasons if reason) or None


def _gapless(
    there: dict[datetime, StoredFrame], newest: datetime, step: timedelta, wanted: int
) -> tuple[list[datetime], datetime | None]:
    """Up to `wanted` times that lead up to the newest, and the one of them that has to be filled."""
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
