"""Scores of forecasters on whole events, all on the same pixels."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from models.baselines import is_baseline
from models.forecaster import Forecaster
from models.onnx_forecaster import load_forecaster
from models.repository import champions, record_scores
from radar.errors import GridMismatch, IncompleteHistory, InvalidRequest, RaincellError, UnreadableFile
from radar.files.open import open_sequence
from radar.scores.measure import Measure
from radar.sequence import FrameSequence
from training.evaluate.event_scores import EventScores
from training.evaluate.score_event import part, score_event
from training.evaluate.seen import Learnt, seen_before
from training.evaluate.table import FSS_KM, THRESHOLDS, ScoreRow, mean_scores

Result = TypeVar("Result")
Seen = Mapping[str, str]
"""The result of `training.evaluate.seen.seen_before` for an event, by forecaster."""


def models_and_events(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Separate models (.onnx files, checkpoints, model repositories) from events (other files, folders of .nc files).

    Raises
    ------
    UnreadableFile
        A path is neither.
    """
    models: list[Path] = []
    events: list[Path] = []
    for path in paths:
        if path.suffix in (".onnx", ".pt") or any(path.glob("*/aliases.json")):
            models.append(_existing(path))
        elif path.is_dir():
            events += sorted(path.glob("*.nc")) or [_existing(path / "*.nc")]
        else:
            events.append(_existing(path))
    return models, events


def _existing(path: Path) -> Path:
    if not path.exists():
        raise UnreadableFile(
            expected="an .onnx file, a checkpoint (.pt), a model repository, an event or a folder of .nc events",
            got=f"no {'/'.join(path.parts[-2:])}",
            remedy="check the name",
        )
    return path


def model_files(paths: Iterable[Path]) -> list[Path]:
    """The files of models: .onnx files and checkpoints themselves, and the champions of model repositories."""
    return [found for path in paths for found in (champions(path).values() if path.is_dir() else [path])]


def open_forecasters(paths: Iterable[Path], lead_minutes: int | None = None) -> list[Forecaster]:
    """The models of `model_files`, on the CPU; `lead_minutes` bounds a checkpoint, which has no card yet."""
    return [
        _from_checkpoint(path, lead_minutes) if path.suffix == ".pt" else load_forecaster(path, "cpu")
        for path in model_files(paths)
    ]


def _from_checkpoint(path: Path, lead_minutes: int | None) -> Forecaster:
    from training.export.card import make_card
    from training.export.torch_step import torch_forecaster
    from training.fit.checkpoint import load_checkpoint

    network, config, _ = load_checkpoint(path)
    card = make_card(network, config, version="checkpoint")
    longest = max(card.longest_lead_minutes, lead_minutes or 0)
    return torch_forecaster(card.model_copy(update={"longest_lead_minutes": longest}), network)


def evaluate_events(
    forecasters: Sequence[Forecaster],
    events: Sequence[Path],
    *,
    lead_minutes: int,
    thresholds: Sequence[float] = THRESHOLDS,
    stride: int = 1,
    fss_km: Sequence[float] = FSS_KM,
    variable: str | None = None,
    learnt: Sequence[Learnt] = (),
) -> list[EventScores]:
    """Forecast from every `stride`-th start of each event and compare with the observations.

    Only pixels count that are observed and forecast by every forecaster. Leads beyond the end of an event are left out.
    Events that are too short for any lead, and per event models for other pixels or another timestep, are left out with
    a message. `learnt` lists the training data of the first forecasters, by which results are marked. For other models
    it is unknown; baselines learn nothing.

    Raises
    ------
    InvalidRequest
        There are no forecasters, or nothing can be scored.
    """
    measure = Measure(tuple(thresholds), tuple(fss_km))

    def score(named: Mapping[str, Forecaster], event: str, sequence: FrameSequence, seen: Seen) -> EventScores:
        return replace(score_event(named, event, sequence, lead_minutes, measure, stride), seen=seen)

    return over_events(forecasters, events, score, learnt, variable)


def over_events(
    forecasters: Sequence[Forecaster],
    events: Sequence[Path],
    score: Callable[[Mapping[str, Forecaster], str, FrameSequence, Seen], Result],
    learnt: Sequence[Learnt],
    variable: str | None,
) -> list[Result]:
    """The results of `score` for the forecasters that fit each event."""
    named = dict(zip(distinct_names(forecasters), forecasters, strict=True))
    sources: dict[str, Learnt] = {name: () if is_baseline(one) else None for name, one in named.items()}
    sources |= dict(zip(named, learnt, strict=False))
    results: list[Result] = []
    for path in tqdm(events, "evaluate", unit=" events"):
        sequence = open_sequence([path], observations_only=True, variable=variable)
        fitting = _fitting(named, path.stem, sequence)
        try:
            if fitting:
                seen = {name: seen_before(sources[name], path, sequence) for name in fitting}
                results.append(score(fitting, path.stem, sequence, seen))
        except IncompleteHistory as error:
            _leave_out(path.stem, error)
    if not results:
        raise InvalidRequest(
            expected="a forecaster and an event long enough to score it on",
            got=f"{len(forecasters)} forecasters and {len(events)} events, none of which fit",
            remedy="name a model or a baseline, and events in its timestep",
        )
    return results


def record(models: Iterable[Path], scores: Sequence[ScoreRow]) -> None:
    """Write the mean scores of all methods to the manifest of every scored champion among `models`."""
    means = mean_scores(scores)
    scored = {score.model for score in scores}
    for repository in (path for path in models if path.is_dir()):
        for name, path in champions(repository).items():
            if name in scored:
                record_scores(repository, name, path.parent.name, means)


def distinct_names(forecasters: Sequence[Forecaster]) -> list[str]:
    """Names of forecasters; equal ones get their versions, and if those are equal too, numbers."""
    names = [forecaster.name for forecaster in forecasters]
    cards = [getattr(forecaster, "card", None) for forecaster in forecasters]
    if len(set(names)) < len(names):
        names = [f"{name} {card.version}" if card else name for name, card in zip(names, cards, strict=True)]
    counted = [(name, names[:index].count(name)) for index, name in enumerate(names)]
    return [f"{name} ({before + 1})" if before else name for name, before in counted]


def _fitting(named: dict[str, Forecaster], event: str, sequence: FrameSequence) -> dict[str, Forecaster]:
    """The forecasters that fit the frames."""
    fitting = {}
    for name, forecaster in named.items():
        try:
            forecaster.forecast(part(sequence, 0, forecaster.input_length), 1)
            fitting[name] = forecaster
        except (GridMismatch, IncompleteHistory) as error:
            _leave_out(f"{name} on {event}", error)
    return fitting


def _leave_out(what: str, error: RaincellError) -> None:
    tqdm.write(f"left out: {what}: {error}", file=sys.stderr)
