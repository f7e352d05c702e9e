"""The making of a run: from stored frames to a forecast in the form of stored frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from models.baselines import stand_in
from models.recurrent import RecurrentForecaster
from radar.errors import RaincellError
from radar.sequence import FrameSequence
from service.bodies.limits import MOST_ANSWERED_VALUES
from service.history.codec import StoredFrame, encode
from service.runs.coverage import covered_by
from service.runs.inputs import Inputs, collect_inputs, forecaster_for, together
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


def make_forecast(wanted: RunPlan, inputs: Inputs) -> tuple[Inputs, FrameSequence]:
    """Make the forecast, in the worker's thread; returns also the inputs as they were used.

    If the model cannot read the frames, because of their pixels or their timestep, another method stands in for it, and
    the inputs state so.
    """
    try:
        return inputs, _forecast(wanted, inputs)
    except RaincellError as error:
        inputs = _without_model(inputs, f"model {wanted.forecaster.name} needs {error.expected}, got {error.got}")
        return inputs, _forecast(wanted, inputs)


def interim(wanted: RunPlan, inputs: Inputs) -> tuple[RunPlan, Inputs]:
    """A quick run that is served until the wanted one, the first of its series, is made."""
    quick = run_id(wanted.stored, wanted.forecaster.card, wanted.steps, interim=True)
    why = f"the first run of model {wanted.forecaster.name} is still being made"
    return replace(wanted, id=quick, interim=True), _without_model(inputs, why)


def finish(wanted: RunPlan, inputs: Inputs, forecast: FrameSequence, before: bytes | None, now: datetime) -> WholeRun:
    """The run in stored form.

    Parameters
    ----------
    before : bytes or None
        The coverage mask of the series' last run.
    now : datetime
        The time of making.
    """
    header = wanted.stored[-1].header
    observed = {_minutes(frame.valid_time, header.valid_time): frame for frame in wanted.stored}
    observed = {minutes: frame for minutes, frame in observed.items() if minutes >= -OBSERVED.total_seconds() / 60}
    forecast_frames = dict(zip(forecast.lead_minutes, encode(forecast), strict=True))
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
        lead_minutes=forecast.lead_minutes,
        degraded=inputs.degraded,
        made_at=now,
        interim=wanted.interim,
    )
    covered = covered_by(observed.values(), header.grid.shape, before)
    return WholeRun(run, observed | forecast_frames, covered)


def _forecast(wanted: RunPlan, inputs: Inputs) -> FrameSequence:
    forecaster = forecaster_for(inputs.method, len(inputs.frames), wanted.forecaster)
    return forecaster.forecast(inputs.frames, wanted.steps)


def _without_model(inputs: Inputs, why: str) -> Inputs:
    method = stand_in(len(inputs.frames))
    return replace(inputs, method=method, degraded=together(inputs.degraded, f"{why}: {method} instead"))


def _minutes(time: datetime, reference: datetime) -> int:
    return round((time - reference).total_seconds() / 60)
