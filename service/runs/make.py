"""The making of a run: from stored frames to a forecast in the form of stored frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from models.baselines import stand_in
from models.exceedance.forecaster import ExceedanceForecaster
from models.recurrent import RecurrentForecaster
from radar.errors import RaincellError
from radar.sequence import FrameSequence
from service.bodies.limits import MOST_ANSWERED_VALUES
from service.history.codec import StoredFrame, encode
from service.runs.coverage import covered_by
from service.runs.inputs import Inputs, collect_inputs, forecaster_for, together
from service.runs.odds.codec import pack
from service.runs.run import Run, WholeRun, run_id

OBSERVED = timedelta(hours=1)
"""How far back a run keeps the observed frames."""
OBSERVED_FRAMES = 13
"""The most observed frames of a run: an hour in steps of 5 minutes, both ends included."""


@dataclass(frozen=True)
class RunPlan:
    """A run that could be made now.

    Parameters
    ----------
    id : str
    forecaster : RecurrentForecaster
    steps : int
    stored : list of StoredFrame
        All frames that the run depends on: those of the past hour, and those that the model reads.
    interim : bool
        Whether another run will replace it soon.
    """

    id: str
    forecaster: RecurrentForecaster
    steps: int
    stored: Sequence[StoredFrame]
    interim: bool = False


def frames_needed(forecaster: RecurrentForecaster) -> int:
    """The number of newest frames for `plan`."""
    return max(OBSERVED_FRAMES, forecaster.input_length + 1)


def plan(newest: Sequence[StoredFrame], forecaster: RecurrentForecaster, lead_minutes: int) -> RunPlan:
    """The run that starts from the newest frames of a series, at least one, oldest first."""
    header = newest[-1].header
    step = timedelta(minutes=header.timestep_minutes)
    oldest = header.valid_time - max(OBSERVED, forecaster.input_length * step)
    stored = [frame for frame in newest if frame.valid_time >= oldest]
    longest = min(lead_minutes, forecaster.card.longest_lead_minutes) // header.timestep_minutes
    most = MOST_ANSWERED_VALUES // (header.grid.shape[0] * header.grid.shape[1])
    steps = max(1, min(longest, most))
    return RunPlan(run_id(stored, forecaster.card, steps), forecaster, steps, stored)


def read_inputs(wanted: RunPlan) -> Inputs:
    """The input of the forecast."""
    return collect_inputs(wanted.stored, wanted.forecaster.input_length, wanted.forecaster.name)


class Made(NamedTuple):
    """A forecast, the inputs as they were used, and its odds in stored form, lead by lead; none without thresholds."""

    inputs: Inputs
    forecast: FrameSequence
    thresholds: tuple[float, ...] = ()
    odds: Sequence[bytes] = ()


def make_forecast(wanted: RunPlan, inputs: Inputs) -> Made:
    """Make the forecast, in the worker's thread.

    If the model cannot read the frames, because of their pixels or their timestep, another method stands in for it, and
    the inputs state so.
    """
    try:
        return _forecast(wanted, inputs)
    except RaincellError as error:
        why = f"model {wanted.forecaster.name} needs {error.expected}, got {error.got}"
        return _forecast(wanted, _without_model(inputs, why))


def interim(wanted: RunPlan, inputs: Inputs) -> tuple[RunPlan, Inputs]:
    """A quick run that is served until the wanted one, the first of its series, is made."""
    quick = run_id(wanted.stored, wanted.forecaster.card, wanted.steps, interim=True)
    why = f"the first run of model {wanted.forecaster.name} is still being made"
    return replace(wanted, id=quick, interim=True), _without_model(inputs, why)


def finish(wanted: RunPlan, made: Made, before: bytes | None, now: datetime) -> WholeRun:
    """The run in stored form.

    Parameters
    ----------
    before : bytes or None
        The coverage mask of the series' last run.
    now : datetime
        The time of making.
    """
    header, inputs, leads = wanted.stored[-1].header, made.inputs, made.forecast.lead_minutes
    observed = {_minutes(frame.valid_time, header.valid_time): frame for frame in wanted.stored}
    observed = {minutes: frame for minutes, frame in observed.items() if minutes >= -OBSERVED.total_seconds() / 60}
    forecast_frames = dict(zip(leads, encode(made.forecast), strict=True))
    run = Run(
        id=wanted.id,
        product=header.product,
        grid=header.grid,
        reference_time=header.valid_time,
        timestep_minutes=header.timestep_minutes,
        model=wanted.forecaster.card.name,
        version=wanted.forecaster.card.version,
        method=inputs.method,
        history_times=inputs.observed,
        observed_minutes=tuple(observed),
        lead_minutes=leads,
        degraded=inputs.degraded,
        made_at=now,
        interim=wanted.interim,
        thresholds=made.thresholds,
    )
    covered = covered_by(observed.values(), header.grid.shape, before)
    odds = dict(zip(leads, made.odds, strict=True)) if made.thresholds else {}
    return WholeRun(run, observed | forecast_frames, covered, odds)


def _forecast(wanted: RunPlan, inputs: Inputs) -> Made:
    forecaster = forecaster_for(inputs.method, len(inputs.frames), wanted.forecaster)
    if not isinstance(forecaster, ExceedanceForecaster):
        return Made(inputs, forecaster.forecast(inputs.frames, wanted.steps))
    forecast, odds = forecaster.forecast_with_odds(inputs.frames, wanted.steps, pack)
    return Made(inputs, forecast, forecaster.thresholds, odds)


def _without_model(inputs: Inputs, why: str) -> Inputs:
    method = stand_in(len(inputs.frames))
    return replace(inputs, method=method, degraded=together(inputs.degraded, f"{why}: {method} instead"))


def _minutes(time: datetime, reference: datetime) -> int:
    return round((time - reference).total_seconds() / 60)
