"""Scores by the protocol of MS-RNN's authors, for comparison with their figures.

A start has T = input_length + steps frames. All T - 1 predicted frames count, including the predictions of input frames
from the second on. Frames are in pixel units, clip((dBZ + 10) / 70, 0, 1). Squared and absolute errors are summed over
the pixels of a frame and averaged over frames. Missing pixels and undefined scores are 0. This project's own protocol,
which differs in all of this, is in `training.evaluate.evaluate`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from models.forecaster import Forecaster
from models.recurrent import RecurrentForecaster
from radar.rain import RainScaling
from radar.scores.balanced import balanced_error_sum, balanced_weight
from radar.scores.image_quality import ssim_sum
from radar.scores.pixels import ContingencyTable, ErrorSum, contingency, error_sum
from radar.scores.probability import MeanSum
from radar.scores.table import SCORES
from radar.sequence import Float32, FrameSequence
from training.evaluate.evaluate import Seen, over_events
from training.evaluate.markdown import markdown_table
from training.evaluate.score_event import part, window_of
from training.evaluate.seen import UNSEEN, Learnt, marked, remarks, seen_of
from training.evaluate.table import THRESHOLDS
from training.fit.examples import window_starts

PIXELS = RainScaling(dry_below=0.0)
"""The authors' pixel units: every positive rate has one, even the smallest."""
_HAIR = 1e-6
"""A margin in pixel units, so that a rate of exactly a threshold reaches it in spite of rounding."""


@dataclass(frozen=True)
class AuthorsScore:
    """Scores of one predicted frame; undefined = 0.

    Parameters
    ----------
    model, event : str
    lead_minutes : int
        0 is the last input frame; earlier ones are negative.
    threshold : float
        mm/h; csi, pod, far and hss are for rain at or above it.
    csi, pod, far, hss : float
        Scores of all starts together.
    mse, mae, balanced_mse, balanced_mae : float
        Pixel units, summed over pixels, averaged over starts.
    ssim, psnr : float
        Scores in pixel units, data range 1; PSNR in dB of all starts together.
    starts, pixels : int
        The number of frames, and of pixels in each.
    """

    model: str
    event: str
    lead_minutes: int
    threshold: float
    csi: float
    pod: float
    far: float
    hss: float
    mse: float
    mae: float
    balanced_mse: float
    balanced_mae: float
    ssim: float
    psnr: float
    starts: int
    pixels: int
    seen: str = UNSEEN


class FrameTally:
    """The sums of one predicted frame over starts."""

    def __init__(self, thresholds: Sequence[float]) -> None:
        self.tables = dict.fromkeys(thresholds, ContingencyTable())
        self.errors = self.balanced = ErrorSum()
        self.similarity = MeanSum()
        self.starts = 0

    def add(self, predicted: Float32, rain_rate: Float32) -> None:
        """Compare a prediction (H, W) in pixel units with an observation (H, W) in mm/h; NaN in either is 0."""
        predicted, rain_rate = np.nan_to_num(predicted, nan=0.0), np.nan_to_num(rain_rate, nan=0.0)
        observed = PIXELS.to_network(rain_rate)
        for threshold in self.tables:
            self.tables[threshold] += contingency(predicted, observed, float(PIXELS.to_network(threshold)) - _HAIR)
        self.errors += error_sum(predicted, observed)
        self.balanced += balanced_error_sum(predicted, observed, balanced_weight(rain_rate))
        self.similarity += ssim_sum(predicted, observed)
        self.starts += 1

    def scores(self, model: str, event: str, lead_minutes: int) -> Iterator[AuthorsScore]:
        """The scores of the sums, one for each threshold."""
        for threshold, table in self.tables.items():
            yield AuthorsScore(
                model=model,
                event=event,
                lead_minutes=lead_minutes,
                threshold=threshold,
                csi=_read("csi", table),
                pod=_read("pod", table),
                far=_read("far", table),
                hss=_read("hss", table),
                mse=self.errors.squared / self.starts,
                mae=self.errors.absolute / self.starts,
                balanced_mse=self.balanced.squared / self.starts,
                balanced_mae=self.balanced.absolute / self.starts,
                ssim=_read("ssim", self.similarity),
                psnr=_read("psnr", self.errors),
                starts=self.starts,
                pixels=table.pixels // self.starts,
            )


_COLUMNS = ("csi", "pod", "far", "hss", "mse", "mae", "balanced_mse", "balanced_mae", "ssim", "psnr")


def score_as_authors(
    forecasters: Mapping[str, Forecaster],
    event: str,
    sequence: FrameSequence,
    lead_minutes: int,
    thresholds: Sequence[float],
    stride: int,
) -> list[AuthorsScore]:
    """Scores of all forecasters on one event; only forecast frames count if a forecaster predicts no input frames.

    Raises
    ------
    InvalidRequest, IncompleteHistory
        As in `training.evaluate.score_event.window_of`.
    """
    length, steps = window_of(forecasters, sequence, lead_minutes)
    tallies: dict[tuple[str, int], FrameTally] = {}
    for start in tqdm(window_starts(sequence, length + steps, stride), event, unit=" starts", leave=False):
        window = sequence.rain_rate[start : start + length + steps]
        for name, forecaster in forecasters.items():
            predictions = _predictions(forecaster, part(sequence, start, length), steps)
            for ahead, prediction in enumerate(predictions, start=steps - len(predictions) + 1):
                tally = tallies.setdefault((name, ahead), FrameTally(thresholds))
                tally.add(prediction, window[length - 1 + ahead])
    minutes = sequence.timestep_minutes
    return [row for (name, ahead), tally in tallies.items() for row in tally.scores(name, event, ahead * minutes)]


def _predictions(forecaster: Forecaster, past: FrameSequence, steps: int) -> Float32:
    """Predicted frames in pixel units, the last `steps` of them the forecast."""
    if isinstance(forecaster, RecurrentForecaster) and forecaster.predicts_inputs:
        return forecaster.predictions(past, steps)
    return PIXELS.to_network(forecaster.forecast(past, steps).rain_rate)


def write_authors_json(path: Path, rows: Sequence[AuthorsScore]) -> None:
    """All scores as a flat list of objects with `"protocol": "authors"`."""
    path.write_text(json.dumps([{"protocol": "authors", **asdict(row)} for row in rows], indent=1) + "\n")


def authors_table(rows: Sequence[AuthorsScore]) -> str:
    """For each event and threshold a Markdown table of means over the forecast frames, and over all predicted ones."""
    parts: list[str] = []
    for event, threshold in dict.fromkeys((row.event, row.threshold) for row in rows):
        group = [row for row in rows if (row.event, row.threshold) == (event, threshold)]
        body = []
        for model, seen in seen_of(group).items():
            own = [row for row in group if row.model == model]
            forecast = [row for row in own if row.lead_minutes > 0]
            body.append(_line(f"{marked(model, seen)}, forecast", forecast))
            if len(own) > len(forecast):
                body.append(_line(f"{marked(model, seen)}, all", own))
        parts += [
            f"**{event}**, authors' protocol, {group[0].starts} starts, threshold {threshold:g} mm/h",
            markdown_table(["mean over frames", "frames", *_COLUMNS], body),
            *remarks(seen_of(group)),
        ]
    return "\n\n".join(parts)


def _line(title: str, rows: Sequence[AuthorsScore]) -> list[str]:
    means = (float(np.mean([getattr(row, name) for row in rows])) for name in _COLUMNS)
    return [title, str(len(rows)), *(f"{mean:.4g}" for mean in means)]


def _read(name: str, sums: ContingencyTable | ErrorSum | MeanSum) -> float:
    score = float(SCORES[name].read(sums))
    return score if np.isfinite(score) else 0.0


def evaluate_as_authors(
    forecasters: Sequence[Forecaster],
    events: Sequence[Path],
    *,
    lead_minutes: int,
    thresholds: Sequence[float] = THRESHOLDS,
    stride: int = 1,
    variable: str | None = None,
    learnt: Sequence[Learnt] = (),
) -> list[AuthorsScore]:
    """As `evaluate_events`, but by the authors' protocol."""

    def score(named: Mapping[str, Forecaster], event: str, sequence: FrameSequence, seen: Seen) -> list[AuthorsScore]:
        rows = score_as_authors(named, event, sequence, lead_minutes, thresholds, stride)
        return [replace(row, seen=seen[row.model]) for row in rows]

    return [row for rows in over_events(forecasters, events, score, learnt, variable) for row in rows]
