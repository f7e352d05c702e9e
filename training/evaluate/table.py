"""Rows of scores of an evaluation, as JSON and as Markdown tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from radar.scores.table import shown_in
from training.evaluate.markdown import cell, markdown_table
from training.evaluate.seen import UNSEEN, marked, remarks, seen_of

THRESHOLDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Default thresholds in mm/h."""
FSS_KM = (10.0, 1.0, 5.0, 20.0)
"""Default widths of FSS neighbourhoods; the main one, about that of a shower, first."""
ENDS = ("low", "high")
_FIRST = ("csi", "fss", "mae", "bias", "rmse", "pod", "far")
"""The order of columns; others follow."""


@dataclass(frozen=True)
class ScoreRow:
    """Scores of one forecaster on one event at one lead time and threshold, over all `starts`; undefined = NaN.

    Parameters
    ----------
    model, event : str
    lead_minutes : int
    threshold : float
        mm/h; scores with a threshold are for rain at or above it, all others are the same for every threshold.
    scores : mapping of str to float
        By the names of `radar.scores.table`; those of neighbourhoods at `fss_km`, and at every width as "fss_5km".
    fss_km : float
    probability : str
        The method of the Brier score's probabilities ("neighbourhood": from the deterministic forecast,
        `radar.extrapolation.neighbourhood`; "ensemble": members that reach the threshold; "model": its own).
    starts, pixels : int
        The number of compared forecasts, and of all their pixels: equal for all models of an event.
    intervals : mapping
        Bounds of the 95 % intervals of `scores` (`radar.scores.bootstrap`); NaN with too few starts.
    seen : str
        Whether the model has learnt from the event: `training.evaluate.seen.seen_before`.
    """

    model: str
    event: str
    lead_minutes: int
    threshold: float
    scores: Mapping[str, float]
    fss_km: float
    probability: str
    starts: int
    pixels: int
    intervals: Mapping[str, tuple[float, float]]
    seen: str = UNSEEN


def json_row(row: ScoreRow) -> dict[str, Any]:
    """A row as a flat object: "csi_low" and "csi_high" for `intervals`."""
    about = asdict(row)
    scores, intervals = about.pop("scores"), about.pop("intervals")
    bounds = {f"{name}_{end}": value for name, both in intervals.items() for end, value in zip(ENDS, both, strict=True)}
    return {key: null_if_nan(value) for key, value in (about | scores | bounds).items()}


def null_if_nan(value: object) -> object:
    """A JSON value: None for NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def write_json(path: Path, rows: Sequence[ScoreRow]) -> None:
    """All scores as a flat list of objects, one for each row; undefined ones are null."""
    path.write_text(json.dumps([json_row(row) for row in rows], indent=1, allow_nan=False) + "\n")


def mean_scores(scored: Sequence[ScoreRow]) -> list[dict[str, Any]]:
    """For each model, event and threshold the scores averaged over the lead times, as JSON values."""
    means = []
    for model, event, threshold in dict.fromkeys((row.model, row.event, row.threshold) for row in scored):
        rows = [row for row in scored if (row.model, row.event, row.threshold) == (model, event, threshold)]
        about = {"model": model, "event": event, "threshold": threshold, "starts": rows[0].starts}
        about |= {} if rows[0].seen == UNSEEN else {"seen": rows[0].seen}
        leads = {"lead_minutes": [row.lead_minutes for row in rows], "fss_km": rows[0].fss_km}
        averaged = {score.name: null_if_nan(_mean(rows, score.name)) for score in shown_in("means", *_FIRST)}
        means.append(about | leads | averaged)
    return means


def markdown_tables(scored: Sequence[ScoreRow]) -> str:
    """For each event and threshold the scores by lead time, and their means by model."""
    parts: list[str] = []
    for event, threshold in dict.fromkeys((row.event, row.threshold) for row in scored):
        group = [row for row in scored if (row.event, row.threshold) == (event, threshold)]
        parts += [
            f"**{event}**, {group[0].starts} starts, threshold {threshold:g} mm/h, FSS in {group[0].fss_km:g} km",
            _by_lead(group),
            _means(group),
            *remarks(seen_of(group)),
        ]
    return "\n\n".join(parts)


def _by_lead(group: Sequence[ScoreRow]) -> str:
    """A row for each lead time; columns are the models, score by score."""
    models, scores = seen_of(group), shown_in("headline", *_FIRST)
    titles = [marked(model, seen) for model, seen in models.items()]
    body = []
    for lead in dict.fromkeys(row.lead_minutes for row in group):
        at = {row.model: row.scores for row in group if row.lead_minutes == lead}
        body.append([str(lead), *(cell(at[model][score.name]) for score in scores for model in models)])
    return markdown_table(["lead (min)", *(f"{score.title} {model}" for score in scores for model in titles)], body)


def _means(group: Sequence[ScoreRow]) -> str:
    """A row for each model: its scores averaged over the lead times where they are defined."""
    scores, body = shown_in("means", *_FIRST), []
    for model, seen in seen_of(group).items():
        rows = [row for row in group if row.model == model]
        body.append([marked(model, seen), *(cell(_mean(rows, score.name)) for score in scores)])
    return markdown_table(["mean over lead times", *(score.title for score in scores)], body)


def _mean(rows: Iterable[ScoreRow], name: str) -> float:
    """The mean over the rows where the score is defined; NaN if no row has it."""
    defined = [value for row in rows if not math.isnan(value := row.scores[name])]
    return sum(defined) / len(defined) if defined else math.nan
