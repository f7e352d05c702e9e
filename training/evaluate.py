"""Scores of forecasters on whole events, all of them on the same pixels."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from models.baselines import Extrapolation, Persistence, SmoothedExtrapolation
from models.forecaster import Forecaster
from models.onnx_forecaster import load_forecaster
from models.repository import champions, record_scores
from radar.errors import GridMismatch, IncompleteHistory, InvalidRequest, RaincellError, UnreadableFile
from radar.files import open_sequence
from radar.sequence import FrameSequence
from training.examples import window_starts
from training.score_sums import LeadSums, Measure, add_start
from training.score_table import FSS_KM, Score, mean_scores

BASELINES: dict[str, Forecaster] = {
    baseline.name: baseline for baseline in (Persistence(), Extrapolation(), SmoothedExtrapolation())
}


def models_and_events(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Tell models (.onnx files, checkpoints, model repositories) from events (other files, folders of .nc files).

    Raises
    ------
    UnreadableFile
        A path that is neither.
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


def open_forecasters(paths: Iterable[Path]) -> list[Forecaster]:
    """Models from .onnx files and checkpoints, or the champions of model repositories, on the CPU."""
    files = [found for path in paths for found in (champions(path).values() if path.is_dir() else [path])]
    return [_from_checkpoint(path) if path.suffix == ".pt" else load_forecaster(path, "cpu") for path in files]


def _from_checkpoint(path: Path) -> Forecaster:
    from training.checkpoint import load_checkpoint
    from training.export import make_card
    from training.torch_step import torch_forecaster

    network, config, _ = load_checkpoint(path)
    return torch_forecaster(make_card(network, config, version="checkpoint"), network)


def evaluate(
    forecasters: Sequence[Forecaster],
    events: Sequence[Path],
    *,
    lead_minutes: int,
    thresholds: Sequence[float],
    stride: int = 1,
    fss_km: float = FSS_KM,
) -> list[Score]:
    """Score forecasters on every `stride`-th start of each event.

    Only pixels count that are observed and that every one of the forecasters forecasts. Leads that an event is too
    short for are left out; so are, with a line that says so, events that are too short for any and, event by
    event, models that were made for other pixels or another timestep.

    Raises
    ------
    InvalidRequest
        No forecasters, or nothing that could be scored.
    """
    named = dict(zip(distinct_names(forecasters), forecasters, strict=True))
    measure = Measure(tuple(thresholds), fss_km)
    scores: list[Score] = []
    for path in tqdm(events, "evaluate", unit=" events"):
        sequence = open_sequence([path], observations_only=True)
        fitting = _fitting(named, path.stem, sequence)
        try:
            scores += score_event(fitting, path.stem, sequence, lead_minutes, measure, stride) if fitting else []
        except IncompleteHistory as error:
            _leave_out(path.stem, error)
    if not scores:
        raise InvalidRequest(
            expected="a forecaster and an event long enough to score it on",
            got=f"{len(forecasters)} forecasters and {len(events)} events, none of which fit",
            remedy="name a model or a baseline, and events in its timestep",
        )
    return scores


def record(models: Iterable[Path], scores: Sequence[Score]) -> None:
    """Put the mean scores of all methods into the manifest of every champion among `models` that was scored."""
    means = mean_scores(scores)
    scored = {score.model for score in scores}
    for repository in (path for path in models if path.is_dir()):
        for name, path in champions(repository).items():
            if name in scored:
                record_scores(repository, name, path.parent.name, means)


def distinct_names(forecasters: Sequence[Forecaster]) -> list[str]:
    """Names of forecasters; where some are equal, with their versions, and where those are, too, with numbers."""
    names = [forecaster.name for forecaster in forecasters]
    cards = [getattr(forecaster, "card", None) for forecaster in forecasters]
    if len(set(names)) < len(names):
        names = [f"{name} {card.version}" if card else name for name, card in zip(names, cards, strict=True)]
    counted = [(name, names[:index].count(name)) for index, name in enumerate(names)]
    return [f"{name} ({before + 1})" if before else name for name, before in counted]


def _fitting(named: dict[str, Forecaster], event: str, sequence: FrameSequence) -> dict[str, Forecaster]:
    """The forecasters that were made for such frames."""
    fitting = {}
    for name, forecaster in named.items():
        try:
            forecaster.forecast(_part(sequence, 0, forecaster.input_length), 1)
            fitting[name] = forecaster
        except (GridMismatch, IncompleteHistory) as error:
            _leave_out(f"{name} on {event}", error)
    return fitting


def _leave_out(what: str, error: RaincellError) -> None:
    tqdm.write(f"left out: {what}: {error}", file=sys.stderr)


def score_event(
    forecasters: dict[str, Forecaster],
    event: str,
    sequence: FrameSequence,
    lead_minutes: int,
    measure: Measure,
    stride: int,
) -> list[Score]:
    """Scores of all forecasters on one event."""
    length = max(forecaster.input_length for forecaster in forecasters.values())
    steps = min(lead_minutes // sequence.timestep_minutes, len(sequence) - length)
    if steps < 1:
        raise IncompleteHistory(
            expected=f"more than {length} frames and leads of at least {sequence.timestep_minutes} minutes",
            got=f"{len(sequence)} frames and {lead_minutes} minutes",
            remedy="leave the event out, or ask for longer leads",
        )
    sums = {name: [LeadSums(measure, sequence.grid) for _ in range(steps)] for name in forecasters}
    starts = window_starts(sequence, length + steps, stride)
    for start in tqdm(starts, event, unit=" starts", leave=False):
        past, later = _part(sequence, start, length), _part(sequence, start + length, steps)
        forecasts = {name: forecaster.forecast(past, steps).rain_rate for name, forecaster in forecasters.items()}
        add_start(sums, forecasts, later.rain_rate)
    return [
        score
        for name, leads in sums.items()
        for lead, summed in enumerate(leads, start=1)
        for score in summed.scores(name, event, lead * sequence.timestep_minutes, len(starts))
    ]


def _part(sequence: FrameSequence, start: int, count: int) -> FrameSequence:
    """`count` frames from `start` on."""
    frames = slice(start, start + count)
    return replace(sequence, rain_rate=sequence.rain_rate[frames], valid_times=sequence.valid_times[frames])
