"""One row for each score of an evaluation, as JSON and as tables to read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.evaluate.seen import UNSEEN, marked, remarks, seen_of

THRESHOLDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""mm/h, unless asked otherwise."""
FSS_KM = (10.0, 1.0, 5.0, 20.0)
"""Widths of FSS neighbourhoods unless asked otherwise; the main one, about that of a shower, first."""
ENDS = ("low", "high")
_BY_LEAD = {"CSI": "csi", "FSS": "fss", "MAE": "mae", "bias": "bias"}
_MEANS = _BY_LEAD | {"RMSE": "rmse", "POD": "pod", "FAR": "far", "small-scale power": "small_scale_power"}


@dataclass(frozen=True)
class Score:
    """Scores of one forecaster on one event at one lead time and threshold, over all `starts`; undefined = NaN.

    Parameters
    ----------
    model, event : str
    lead_minutes : int
    threshold : float
        mm/h; csi, pod, far, bias (frequency bias), hss, ets and fss are for rain at or above it.
    fss : float
        In neighbourhoods of `fss_km` kilometres; `fss_by_km` has it for every width.
    mae, rmse : float
        mm/h, of all rain, wet or dry: this and all that follow but `brier` are the same for every threshold.
    balanced_mae, balanced_mse, ssim, psnr : float
        In network units: `radar.scores.balanced` and `radar.scores.image_quality` (dB).
    small_scale_power : float
        Power at wavelengths below 8 km, forecast / observed: 1 is as detailed as rain is, 0 is a blur.
    brier : float
        Of the probability of rain at or above the threshold, made as `probability` says ("neighbourhood": from the
        deterministic forecast, `radar.scores.probability`; "ensemble": members that reach it; "model": its own).
    crps : float
        mm/h, of ensembles; NaN for a deterministic forecast, whose CRPS is its MAE.
    starts, pixels : int
        How many forecasts, and pixels of them all together, were compared: equal for all models of an event.
    intervals : mapping
        Low and high of 95 % for the scores above by name, and for `fss_by_km` as "fss_5km" (`radar.scores.bootstrap`);
        NaN where too few starts do not tell.
    seen : str
        Whether the model has learnt from the event: `training.evaluate.seen.seen_before`.
    """

    model: str
    event: str
    lead_minutes: int
    threshold: float
    csi: float
    pod: float
    far: float
    bias: float
    hss: float
    ets: float
    fss: float
    fss_km: float
    mae: float
    rmse: float
    balanced_mae: float
    balanced_mse: float
    ssim: float
    psnr: float
    small_scale_power: float
    brier: float
    probability: str
    crps: float
    starts: int
    pixels: int
    fss_by_km: Mapping[float, float]
    intervals: Mapping[str, tuple[float, float]]
    seen: str = UNSEEN


def fss_name(width_km: float) -> str:
    """What FSS in neighbourhoods of a width is called."""
    return f"fss_{width_km:g}km"


def json_row(score: Score) -> dict[str, Any]:
    """A score as a flat object: "fss_5km" and so on for `fss_by_km`, "csi_low" and "csi_high" for `intervals`."""
    row = asdict(score)
    widths, intervals = row.pop("fss_by_km"), row.pop("intervals")
    row |= {fss_name(km): value for km, value in widths.items()}
    bounds = {f"{name}_{end}": value for name, both in intervals.items() for end, value in zip(ENDS, both, strict=True)}
    return {key: null_if_nan(value) for key, value in (row | bounds).items()}


def null_if_nan(value: object) -> object:
    """A JSON value: None for NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def write_json(path: Path, scores: Sequence[Score]) -> None:
    """All scores as a flat list of objects, one for each `Score`; undefined ones are null."""
    path.write_text(json.dumps([json_row(score) for score in scores], indent=1, allow_nan=False) + "\n")


def mean_scores(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """For each model, event and threshold the scores averaged over the lead times, as JSON values."""
    means = []
    for model, event, threshold in dict.fromkeys((score.model, score.event, score.threshold) for score in scores):
        rows = [row for row in scores if (row.model, row.event, row.threshold) == (model, event, threshold)]
        about = {"model": model, "event": event, "threshold": threshold, "starts": rows[0].starts}
        about |= {} if rows[0].seen == UNSEEN else {"seen": rows[0].seen}
        leads = {"lead_minutes": [row.lead_minutes for row in rows], "fss_km": rows[0].fss_km}
        averaged = {name: _mean(getattr(row, name) for row in rows) for name in _MEANS.values()}
        means.append(about | leads | {name: None if math.isnan(mean) else mean for name, mean in averaged.items()})
    return means


def markdown_tables(scores: Sequence[Score]) -> str:
    """For each event and threshold the scores by lead time, and their means by model."""
    lines: list[str] = []
    for event, threshold in dict.fromkeys((score.event, score.threshold) for score in scores):
        group = [score for score in scores if (score.event, score.threshold) == (event, threshold)]
        lines += [
            "",
            f"**{event}**, {group[0].starts} starts, threshold {threshold:g} mm/h, FSS in {group[0].fss_km:g} km",
            "",
            *_by_lead(group),
            "",
            *_means(group),
            *(line for remark in remarks(seen_of(group)) for line in ("", remark)),
        ]
    return "\n".join(lines[1:])


def _by_lead(group: Sequence[Score]) -> list[str]:
    """A row for each lead time; columns are the models, score by score."""
    models = seen_of(group)
    titles = [marked(model, seen) for model, seen in models.items()]
    lines = _head(["lead (min)", *(f"{title} {model}" for title in _BY_LEAD for model in titles)])
    for lead in dict.fromkeys(score.lead_minutes for score in group):
        row = {score.model: score for score in group if score.lead_minutes == lead}
        cells = [_cell(getattr(row[model], name)) for name in _BY_LEAD.values() for model in models]
        lines.append(_row([str(lead), *cells]))
    return lines


def _means(group: Sequence[Score]) -> list[str]:
    """A row for each model: its scores averaged over the lead times where they are defined."""
    lines = _head(["mean over lead times", *_MEANS])
    for model, seen in seen_of(group).items():
        rows = [score for score in group if score.model == model]
        lines.append(
            _row([marked(model, seen), *(_cell(_mean(getattr(row, name) for row in rows)) for name in _MEANS.values())])
        )
    return lines


def _mean(values: Iterable[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _head(titles: Sequence[str]) -> list[str]:
    return [_row(titles), "|---" * len(titles) + "|"]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
