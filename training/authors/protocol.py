"""Scores as the authors of MS-RNN have them, so that figures can be laid beside theirs.

A start has T = input_length + steps frames, and all T - 1 that a network predicts count, those that it reads from the
second on included. Frames are pixels, clip((dBZ + 10) / 70, 0, 1). Squared and absolute errors are summed over the
pixels of a frame and averaged over frames. A missing pixel is 0, and so is an undefined score. This project's own
protocol, which does none of this, is that of `training.evaluate.evaluate`.
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
"""Their pixels: every rate above none has one, however small."""
_HAIR = 1e-6
"""In pixel units, so that a rate of exactly a threshold reaches it whatever rounding does to its logarithm."""


@dataclass(frozen=True)
class AuthorsScore:
    """Scores of one predicted frame; undefined = 0.

    Parameters
    ----------
    model, event : str
    lead_minutes : int
        0 is the last frame that is read, frames before it are below.
    threshold : float
        mm/h; csi, pod, far and hss are for rain at or above it.
    csi, pod, far, hss : float
        Of all starts together.
    mse, mae, balanced_mse, balanced_mae : float
        Pixel units, summed over pixels, averaged over starts.
    ssim, psnr : float
        Of pixel units, data range 1; PSNR in dB of all starts together.
    starts, pixels : int
        How many frames, and pixels in each.
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
    """What is added up of one predicted frame over starts."""

    def __init__(self, thresholds: Sequence[float]) -> None:
        self.tables = dict.fromkeys(thresholds, ContingencyTable())
        self.errors = self.balanced = ErrorSum()
        self.similarity = MeanSum()
        self.starts = 0

    def add(self, said: Float32, rain_rate: Float32) -> None:
        """Compare a prediction (H, W) in pixel units with an observation (H, W) in mm/h; NaN in either is 0."""
        said, rain_rate = np.nan_to_num(said, nan=0.0), np.nan_to_num(rain_rate, nan=0.0)
        seen = PIXELS.to_network(rain_rate)
        for threshold in self.tables:
            self.tables[threshold] += contingency(said, seen, float(PIXELS.to_network(threshold)) - _HAIR)
        self.errors += error_sum(said, seen)
        self.balanced += balanced_error_sum(said, seen, balanced_weight(rain_rate))
        self.similarity += ssim_sum(said, seen)
        self.starts += 1

    def scores(self, model: str, event: str, lead_minutes: int) -> Iterator[AuthorsScore]:
        """What the sums say, one for each threshold."""
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
    """Scores of all forecasters on one event, of the forecast alone where a forecaster does not predict what it reads.

    Raises
    ------
    InvalidRequest, IncompleteHistory
        As `training.evaluate.score_event.window_of` says.
    """
    length, steps = window_of(forecasters, sequence, lead_minutes)
    tallies: dict[tuple[str, int], FrameTally] = {}
    for start in tqdm(window_starts(sequence, length + steps, stride), event, unit=" starts", leave=False):
        window = sequence.rain_rate[start : start + length + steps]
        for name, forecaster in forecasters.items():
            said = _predictions(forecaster, part(sequence, start, length), steps)
            for ahead, prediction in enumerate(said, start=steps - len(said) + 1):
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
    """For each event and threshold a Markdown table of means over frames: those of the forecast, and all predicted."""
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
