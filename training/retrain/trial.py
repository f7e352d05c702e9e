"""The trial of a challenger: scores of all forecasters on the test part, and the time of one forecast."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from itertools import groupby
from operator import add

import numpy as np
from tqdm import tqdm

from models.baselines import beside_every_model
from models.forecaster import Forecaster
from radar.scores.measure import Measure
from radar.scores.pixels import Float64
from radar.sequence import FrameSequence
from training.data.archive_windows import Block
from training.evaluate.event_scores import EventScores, Strip
from training.evaluate.score_event import part, score_event
from training.retrain.data_set import DataSet
from training.retrain.gate import CHALLENGER, CHAMPION, GateConfig

_THRESHOLDS = (0.5, 1.0, 2.0, 5.0, 10.0)
_FSS_KM = (10.0, 5.0, 20.0)
_ROUNDS = (5, 20)
"""Least and most timed forecasts of each, of which the fastest counts: other work can only slow one down."""
Seconds = dict[str, float]


def measure_of(gate: GateConfig) -> Measure:
    """The measured scores: at the usual thresholds and those of the gate."""
    return Measure(tuple(sorted({*_THRESHOLDS, *gate.thresholds})), _FSS_KM)


def frames_tested(input_length: int, steps: int) -> int:
    """Frames of one forecast: the input of the model or baseline that reads most, and the lead times."""
    return max(input_length, *(baseline.input_length for baseline in beside_every_model())) + steps


def score_test_part(
    challenger: Forecaster, champion: Forecaster, data: DataSet, steps: int, measure: Measure, most_starts: int
) -> list[EventScores]:
    """Score both models and the baselines on the same pixels, at most `most_starts` starts; one result per series."""
    named = {CHALLENGER: challenger, CHAMPION: champion, **{each.name: each for each in beside_every_model()}}
    needed = frames_tested(max(challenger.input_length, champion.input_length), steps)
    blocks = data.test_blocks
    stride = max(1, -(-sum(block.frames - needed + 1 for block in blocks) // most_starts))
    blocks.sort(key=lambda block: (block.product, block.grid, block.first))
    bar = tqdm(blocks, "test blocks")
    scored = [(block, _score(named, data, block, steps, measure, stride)) for block in bar]
    series = groupby(scored, key=lambda pair: (pair[0].product, pair[0].grid))
    return [pooled(" on ".join(pair), [scores for _, scores in members]) for pair, members in series]


def _score(
    named: Mapping[str, Forecaster], data: DataSet, block: Block, steps: int, measure: Measure, stride: int
) -> EventScores:
    sequence = data.read(block)
    minutes = steps * sequence.timestep_minutes
    return score_event(named, f"{block.product} {block.first:%Y-%m-%d %H:%M}", sequence, minutes, measure, stride)


def pooled(event: str, parts: Sequence[EventScores]) -> EventScores:
    """The scores of several stretches of one series as one; the picture shows the rainiest."""
    first = parts[0]
    leads = range(len(first.lead_minutes))
    thresholds = range(len(first.measure.thresholds))
    return replace(
        first,
        event=event,
        reference_times=tuple(time for one in parts for time in one.reference_times),
        sums={name: np.concatenate([one.sums[name] for one in parts]) for name in first.sums},
        spectra={name: [reduce(add, (one.spectra[name][k] for one in parts)) for k in leads] for name in first.sums},
        observed_spectra=[reduce(add, (one.observed_spectra[k] for one in parts)) for k in leads],
        reliability={
            name: [[reduce(add, (one.reliability[name][k][t] for one in parts)) for t in thresholds] for k in leads]
            for name in first.sums
        },
        strip=max((one.strip for one in parts), key=_rain),
    )


def in_order_of_time(scored: Sequence[EventScores]) -> tuple[dict[str, Float64], int]:
    """The sums of all series (starts, leads, sums) in order of time, and the number of these starts in one forecast.

    Series of one time show the same weather: resampled as if they were independent, they would give too narrow
    intervals.
    """
    times = np.array([time.timestamp() for one in scored for time in one.reference_times])
    order = np.argsort(times, kind="stable")
    longest = 60 * max(one.lead_minutes[-1] for one in scored)
    spanned = np.searchsorted(times[order], times[order] + longest) - np.arange(len(times))
    ordered = {name: np.concatenate([one.sums[name] for one in scored])[order] for name in scored[0].sums}
    return ordered, max(int(spanned.max()), *(one.block for one in scored))


def _rain(strip: Strip) -> float:
    return float(np.nansum(strip.observed))


def seconds_of_both(challenger: Forecaster, champion: Forecaster, data: DataSet, steps: int, ratio: float) -> Seconds:
    """Seconds of one forecast of `steps` frames on the newest test frames, the fastest of several taken in turns.

    More forecasts are timed while the challenger seems to take more than `ratio` times as long, as on a busy machine.
    """
    history = data.read(data.test_blocks[-1])
    both = {CHALLENGER: challenger, CHAMPION: champion}
    fastest = dict.fromkeys(both, math.inf)
    fewest, most = _ROUNDS
    for count in range(most):
        if count >= fewest and fastest[CHALLENGER] <= ratio * fastest[CHAMPION]:
            break
        for name, seconds in _one_round(both, history, steps):
            fastest[name] = min(fastest[name], seconds)
    return fastest


def _one_round(
    forecasters: Mapping[str, Forecaster], history: FrameSequence, steps: int
) -> Iterator[tuple[str, float]]:
    for name, forecaster in forecasters.items():
        past = part(history, 0, forecaster.input_length)
        begun = time.perf_counter()
        forecaster.forecast(past, steps)
        yield name, time.perf_counter() - begun
