"""Scores of forecasters on whole events, all of them on the same pixels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from models.baselines import Extrapolation, Persistence, SmoothedExtrapolation
from models.forecaster import Forecaster
from models.onnx_forecaster import load_forecaster
from models.repository import champions
from radar.files import open_sequence
from radar.sequence import Float32, FrameSequence
from radar.verification import ContingencyTable, ErrorSum, absolute_error, contingency, csi, frequency_bias, mae
from training.examples import window_starts

BASELINES: dict[str, Forecaster] = {
    baseline.name: baseline for baseline in (Persistence(), Extrapolation(), SmoothedExtrapolation())
}


@dataclass(frozen=True)
class Score:
    """Scores of one forecaster on one event at one lead time and threshold, over all `starts`."""

    model: str
    event: str
    lead_minutes: int
    threshold: float
    csi: float
    bias: float
    mae: float
    starts: int


def open_forecasters(paths: Iterable[Path]) -> list[Forecaster]:
    """Models from .onnx files, or the champions of model repositories, on the CPU."""
    files = [found for path in paths for found in (champions(path).values() if path.is_dir() else [path])]
    return [load_forecaster(path, "cpu") for path in files]


def evaluate(
    forecasters: Sequence[Forecaster],
    events: Sequence[Path],
    *,
    lead_minutes: int,
    thresholds: Sequence[float],
    stride: int = 1,
) -> list[Score]:
    """Score forecasters on every `stride`-th start of each event.

    Only pixels count that are observed and that every one of the forecasters forecasts. Leads that an
    event is too short for are left out.
    """
    scores = []
    for path in tqdm(events, "evaluate", unit=" events"):
        sequence = open_sequence([path])
        scores += score_event(forecasters, path.stem, sequence, lead_minutes, thresholds, stride)
    return scores


def score_event(
    forecasters: Sequence[Forecaster],
    event: str,
    sequence: FrameSequence,
    lead_minutes: int,
    thresholds: Sequence[float],
    stride: int,
) -> list[Score]:
    """Scores of all forecasters on one event."""
    length = max(forecaster.input_length for forecaster in forecasters)
    steps = min(lead_minutes // sequence.timestep_minutes, len(sequence) - length)
    if steps < 1:
        raise ValueError(f"expected more than {length} frames in {event}, got {len(sequence)}; leave it out")
    sums = {forecaster.name: _Sums.empty(steps, thresholds) for forecaster in forecasters}
    starts = window_starts(sequence, length + steps, stride)
    for start in tqdm(starts, event, leave=False):
        _add_start(forecasters, _part(sequence, start, length), _part(sequence, start + length, steps).rain_rate, sums)
    return [
        score
        for name, summed in sums.items()
        for score in summed.scores(name, event, sequence.timestep_minutes, len(starts))
    ]


def _add_start(
    forecasters: Sequence[Forecaster], history: FrameSequence, observed: Float32, sums: dict[str, _Sums]
) -> None:
    steps = len(observed)
    forecasts = {forecaster.name: forecaster.forecast(history, steps).rain_rate for forecaster in forecasters}
    known = np.isfinite(observed)
    for forecast in forecasts.values():
        known &= np.isfinite(forecast)
    truth = np.where(known, observed, np.float32(np.nan))
    for name, forecast in forecasts.items():
        sums[name].add(forecast, truth)


@dataclass
class _Sums:
    thresholds: Sequence[float]
    tables: list[list[ContingencyTable]]
    errors: list[ErrorSum]

    @classmethod
    def empty(cls, steps: int, thresholds: Sequence[float]) -> _Sums:
        return cls(thresholds, [[ContingencyTable()] * len(thresholds) for _ in range(steps)], [ErrorSum()] * steps)

    def add(self, forecast: Float32, truth: Float32) -> None:
        for lead, (said, seen) in enumerate(zip(forecast, truth, strict=True)):
            self.errors[lead] += absolute_error(said, seen)
            for index, threshold in enumerate(self.thresholds):
                self.tables[lead][index] += contingency(said, seen, threshold)

    def scores(self, model: str, event: str, timestep_minutes: int, starts: int) -> list[Score]:
        return [
            Score(
                model=model,
                event=event,
                lead_minutes=timestep_minutes * (lead + 1),
                threshold=threshold,
                csi=csi(table),
                bias=frequency_bias(table),
                mae=mae(self.errors[lead]),
                starts=starts,
            )
            for lead, tables in enumerate(self.tables)
            for threshold, table in zip(self.thresholds, tables, strict=True)
        ]


def _part(sequence: FrameSequence, start: int, count: int) -> FrameSequence:
    """`count` frames from `start` on."""
    return FrameSequence(
        rain_rate=sequence.rain_rate[start : start + count],
        valid_times=sequence.valid_times[start : start + count],
        grid=sequence.grid,
        timestep_minutes=sequence.timestep_minutes,
        product=sequence.product,
    )


def write_json(path: Path, scores: Sequence[Score]) -> None:
    """All scores as a list of objects; undefined ones are null."""
    rows = [{key: None if value != value else value for key, value in asdict(score).items()} for score in scores]
    path.write_text(json.dumps(rows, indent=1) + "\n")


def markdown_table(scores: Sequence[Score]) -> str:
    """One table for each event and threshold: rows are lead times, columns CSI, MAE and bias of each model."""
    lines: list[str] = []
    models = list(dict.fromkeys(score.model for score in scores))
    groups = dict.fromkeys((score.event, score.threshold) for score in scores)
    for event, threshold in groups:
        group = [score for score in scores if (score.event, score.threshold) == (event, threshold)]
        lines += ["", f"**{event}**, {group[0].starts} starts, threshold {threshold:g} mm/h", ""]
        names = [f"{kind} {model}" for kind in ("CSI", "MAE", "bias") for model in models]
        lines += ["| lead (min) | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        for lead in dict.fromkeys(score.lead_minutes for score in group):
            row = {score.model: score for score in group if score.lead_minutes == lead}
            cells = [f"{getattr(row[model], kind):.3f}" for kind in ("csi", "mae", "bias") for model in models]
            lines.append(f"| {lead} | " + " | ".join(cells) + " |")
    return "\n".join(lines[1:])
