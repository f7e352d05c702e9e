"""All forecasts for one lead time of a run, and their scores on the same pixels."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.baselines import Baseline, beside_every_model, from_frames
from radar.ledger.ledger import DWD, PERSISTENCE, STAND_IN, model_reference
from radar.scores.sums import THRESHOLDS, ScoreSums, sums_of
from radar.sequence import Float32
from service.errors import NoRoomForRun
from service.history.codec import StoredFrame, decode_one, encode
from service.history.reference_forecasts import ReferenceForecasts
from service.runs.inputs import collect_inputs
from service.runs.probability import probabilities
from service.runs.reader import RunReader
from service.runs.run import Run, earlier_runs
from service.runs.runs import Runs
from service.verification.stores.unserved_forecasts import UnservedForecasts


@dataclass(frozen=True)
class ForecastSources:
    """The sources of forecasts.

    Parameters
    ----------
    runs, reader
        Served forecasts, and the reader of their probabilities.
    unserved : UnservedForecasts
        Forecasts of shadows, and of baselines once made.
    references : ReferenceForecasts or None
        DWD's forecasts.
    """

    runs: Runs
    reader: RunReader
    unserved: UnservedForecasts
    references: ReferenceForecasts | None = None


def served_by(run: Run) -> str:
    """The name of a run's forecast in records."""
    return model_reference(run.model, run.version) if run.method == "model" else STAND_IN


def collect(sources: ForecastSources, run: Run, minutes: int, known: Sequence[Run]) -> Forecasts:
    """All forecasts for a run's lead time; raises UnknownRun, RunExpired or StoreUnavailable.

    Parameters
    ----------
    known : sequence of Run
        The runs of the series; earlier ones are pooled for the probabilities.
    """
    served, last = (decode_one(frame) for frame in sources.runs.frames(run.id, [minutes, 0]))
    judged = {served_by(run): served, PERSISTENCE: last}
    unserved = sources.unserved.at(run.id, minutes)
    for baseline in (each for each in beside_every_model() if each.name != PERSISTENCE):
        made = unserved.pop(baseline.name, None) or _baseline(sources, run, baseline).get(minutes)
        if made:
            judged[baseline.name] = decode_one(made)
    dwd = _dwd(sources.references, run, minutes)
    if dwd is not None:
        judged[DWD] = dwd
    shadows = {maker: decode_one(frame) for maker, frame in unserved.items() if frame.header.grid == run.grid}
    fields = probabilities(sources.reader, run, earlier_runs(run, known), minutes, THRESHOLDS)
    return Forecasts(served_by(run), judged, shadows, dict(zip(THRESHOLDS, fields, strict=True)))


def _baseline(sources: ForecastSources, run: Run, baseline: Baseline) -> dict[int, StoredFrame]:
    """A baseline's forecast from the run's observed frames; empty if they are too few. Kept for the next lead."""
    stored = sources.runs.frames(run.id, run.observed_minutes)
    frames = collect_inputs(stored, baseline.input_length, baseline.name).frames
    forecaster = from_frames(baseline, len(frames))
    if forecaster is None:
        return {}
    forecast = forecaster.forecast(frames, run.lead_minutes[-1] // run.timestep_minutes)
    made = dict(zip(forecast.lead_minutes, encode(forecast), strict=True))
    with contextlib.suppress(NoRoomForRun):  # it is computed again for the next lead
        sources.unserved.put(run.id, baseline.name, made)
    return made


def _dwd(references: ReferenceForecasts | None, run: Run, minutes: int) -> Float32 | None:
    """DWD's forecast with the same reference time, if the feed keeps it."""
    if references is None:
        return None
    wanted = run.valid_time(minutes)
    for frame in references.stored(run.series, run.reference_time):
        if frame.valid_time == wanted and frame.header.grid == run.grid:
            rain = decode_one(frame)
            return rain if np.isfinite(rain).any() else None
    return None


class Forecasts(NamedTuple):
    """All forecasts for one time, in mm/h, (H, W), NaN = no forecast.

    Parameters
    ----------
    served : str
        The key in `judged` of the served forecast.
    judged : mapping of str to float32 (H, W)
        The served forecast, baselines and DWD's; pixels that all of them know are compared.
    shadows : mapping of str to float32 (H, W)
        Forecasts of shadows; one that lacks some of these pixels is not scored.
    probabilities : mapping of float to float32 (H, W)
        The served probabilities, by threshold.
    """

    served: str
    judged: Mapping[str, Float32]
    shadows: Mapping[str, Float32]
    probabilities: Mapping[float, Float32]


def compare(forecasts: Forecasts, observed: Float32, pixel_size_km: float) -> dict[str, ScoreSums]:
    """The sums of each forecast, over the pixels where the observation and all judged forecasts are known.

    The result is empty without any such pixel.
    """
    known = np.isfinite(observed)
    for frame in forecasts.judged.values():
        known &= np.isfinite(frame)
    if not known.any():
        return {}
    compared = _only(observed, known)
    complete = {name: frame for name, frame in forecasts.shadows.items() if np.isfinite(frame[known]).all()}
    everybody = {**complete, **forecasts.judged}
    served_probabilities = {forecasts.served: forecasts.probabilities}
    return {
        name: sums_of(
            frame, compared, pixel_size_km, served_probabilities.get(name)
        )  # NaN in one of the two is left out everywhere
        for name, frame in everybody.items()
    }


def _only(frame: Float32, known: npt.NDArray[np.bool_]) -> Float32:
    return np.where(known, frame, np.float32(np.nan))
