"""Everything that was forecast for one lead time of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.baselines import Extrapolation
from radar.ledger.ledger import DWD, EXTRAPOLATION, PERSISTENCE, STAND_IN, model_reference
from radar.scores.sums import THRESHOLDS
from radar.sequence import Float32
from service.history.codec import StoredFrame, decode_one, encode
from service.history.reference_forecasts import ReferenceForecasts
from service.runs.inputs import gather_inputs
from service.runs.probability import probabilities
from service.runs.reader import RunReader
from service.runs.run import Run, earlier_runs
from service.runs.runs import Runs
from service.verification.compare import Forecasts
from service.verification.stores.unserved_forecasts import BesideForecasts


@dataclass(frozen=True)
class Sources:
    """Where forecasts are found.

    Parameters
    ----------
    runs, reader
        Those that were served, and what reads probabilities from them.
    beside : BesideForecasts
        Shadows', and extrapolations once they were made.
    references : ReferenceForecasts or None
        DWD's.
    """

    runs: Runs
    reader: RunReader
    beside: BesideForecasts
    references: ReferenceForecasts | None = None


def served_by(run: Run) -> str:
    """What a run's forecast is called in records."""
    return model_reference(run.model, run.version) if run.method == "model" else STAND_IN


def gather(sources: Sources, run: Run, minutes: int, known: Sequence[Run]) -> Forecasts:
    """All forecasts for a run's lead time; raises UnknownRun, RunExpired or StoreUnavailable.

    Parameters
    ----------
    known : sequence of Run
        The runs of the series, of which earlier ones are pooled for the probabilities.
    """
    served, last = (decode_one(frame) for frame in sources.runs.frames(run.id, [minutes, 0]))
    judged = {served_by(run): served, PERSISTENCE: last}
    beside = sources.beside.at(run.id, minutes)
    moved = beside.pop(EXTRAPOLATION, None) or _extrapolation(sources, run).get(minutes)
    if moved:
        judged[EXTRAPOLATION] = decode_one(moved)
    dwd = _dwd(sources.references, run, minutes)
    if dwd is not None:
        judged[DWD] = dwd
    shadows = {maker: decode_one(frame) for maker, frame in beside.items() if frame.header.grid == run.grid}
    said = probabilities(sources.reader, run, earlier_runs(run, known), minutes, THRESHOLDS)
    return Forecasts(served_by(run), judged, shadows, dict(zip(THRESHOLDS, said, strict=True)))


def _extrapolation(sources: Sources, run: Run) -> dict[int, StoredFrame]:
    """The run's observed frames carried along their motion; nothing where there is only one. Kept for the next lead."""
    stored = sources.runs.frames(run.id, run.observed_minutes)
    frames = gather_inputs(stored, Extrapolation().input_length, EXTRAPOLATION).frames
    if len(frames) < 2:
        return {}
    steps = run.lead_minutes[-1] // run.timestep_minutes
    forecast = Extrapolation(input_length=len(frames)).forecast(frames, steps)
    made = dict(zip(forecast.lead_minutes, encode(forecast), strict=True))
    sources.beside.put(run.id, EXTRAPOLATION, made)
    return made


def _dwd(references: ReferenceForecasts | None, run: Run, minutes: int) -> Float32 | None:
    """DWD's forecast from the same time, where the feed keeps it."""
    if references is None:
        return None
    wanted = run.valid_time(minutes)
    for frame in references.stored(run.series, run.reference_time):
        if frame.valid_time == wanted and frame.header.grid == run.grid:
            rain = decode_one(frame)
            return rain if np.isfinite(rain).any() else None
    return None
