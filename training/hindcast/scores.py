"""The sums of each start of a hindcast, and the scores from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from radar.counts import STORED, Counts
from radar.scores.comparison import Comparison, Field
from radar.scores.measure import Measure
from radar.scores.pixels import Float64
from radar.scores.table import ERRORS, kept_in, shown_in
from radar.sequence import Float32
from training.evaluate.markdown import cell, markdown_table
from training.evaluate.table import null_if_nan

FSS_KM = 10.0
"""Width of the neighbourhoods of the FSS."""


def sum_names(thresholds: Sequence[float]) -> list[str]:
    """The names of the sums in order: the saturated pixels, then those of `Measure`, e.g. "hits_0.1"."""
    return ["saturated_pixels", *_measure(thresholds).columns]


def start_sums(
    forecasts: Iterable[Counts],
    saturated: Iterable[npt.NDArray[np.int64]],
    observed: Sequence[Float32 | None],
    thresholds: Sequence[float],
    pixel_size_km: float,
) -> Float64:
    """The sums of one start.

    Parameters
    ----------
    forecasts : uint16 (leads, H, W), of each forecaster
        Counts of `radar.counts`; only pixels count that all forecasters and the observation know.
    saturated : int (leads,), of each forecaster
        Pixels above the range of the counts.
    observed : float32 (H, W) or None for each lead
        A lead without an observation adds zeros.
    thresholds : sequence of float
        mm/h.
    pixel_size_km : float

    Returns
    -------
    float64 (forecasters, leads, sums)
        In the order of `sum_names`.
    """
    each = [STORED.to_rates(counts) for counts in forecasts]
    measure = _measure(thresholds)
    sums = np.zeros((len(each), len(observed), 1 + measure.size))
    sums[..., 0] = list(saturated)
    for lead, observation in enumerate(observed):
        if observation is None:
            continue
        known = np.logical_and.reduce([np.isfinite(observation), *(np.isfinite(rain[lead]) for rain in each)])
        truth = Field(np.where(known, observation, np.float32(np.nan)))
        for index, rain in enumerate(each):
            forecast = Field(np.where(known, rain[lead], np.float32(np.nan)))
            sums[index, lead, 1:] = measure.sums(Comparison(forecast, truth, pixel_size_km))
    return sums


def read_scores(sums: Float64, thresholds: Sequence[float]) -> dict[str, Float64]:
    """Scores (..., thresholds) from sums (..., sums); undefined = NaN, scores without a threshold are repeated."""
    measure = _measure(thresholds)
    scores = measure.read_all(sums[..., 1:])
    return {score.name: scores[score.name] for score in measure.scores}


def score_rows(
    total: Float64, forecasters: Sequence[str], lead_minutes: Sequence[int], thresholds: Sequence[float]
) -> list[dict[str, Any]]:
    """A row of JSON values for each forecaster, lead and threshold; undefined scores are None.

    `total` is float64 (forecasters, leads, sums). In a row, `frames` counts the compared forecasts, `pixels` their
    pixels, and `saturated_pixels` the pixels of all forecasts above the range of the stored counts.
    """
    scores, pixels = read_scores(total, thresholds), _measure(thresholds).part(ERRORS, total[..., 1:])[..., -1]
    return [
        {
            "forecaster": forecaster,
            "lead_minutes": minutes,
            "threshold": threshold,
            **{name: null_if_nan(float(values[who, lead, level])) for name, values in scores.items()},
            "frames": int(total[who, lead, 1]),
            "pixels": int(pixels[who, lead]),
            "saturated_pixels": int(total[who, lead, 0]),
        }
        for who, forecaster in enumerate(forecasters)
        for lead, minutes in enumerate(lead_minutes)
        for level, threshold in enumerate(thresholds)
    ]


def score_tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """For each threshold a Markdown table of the main scores by lead time, with a column for each forecaster."""
    forecasters = dict.fromkeys(row["forecaster"] for row in rows)
    scores = shown_in("headline", place="hindcast")
    titles = (f"{each.title} {FSS_KM:g} km" if each.axis == "neighbourhood" else each.title for each in scores)
    head = ["lead (min)", "frames", *(f"{title} {name}" for title in titles for name in forecasters)]
    parts: list[str] = []
    for threshold in dict.fromkeys(row["threshold"] for row in rows):
        group = [row for row in rows if row["threshold"] == threshold]
        body = []
        for minutes in dict.fromkeys(row["lead_minutes"] for row in group):
            at = {row["forecaster"]: row for row in group if row["lead_minutes"] == minutes}
            frames = str(max(row["frames"] for row in at.values()))
            body.append([str(minutes), frames, *(cell(at[name][each.name]) for each in scores for name in forecasters)])
        parts += [f"**{threshold:g} mm/h**", markdown_table(head, body)]
    return "\n\n".join(parts)


def _measure(thresholds: Sequence[float]) -> Measure:
    return Measure(tuple(thresholds), (FSS_KM,), kept_in("hindcast"))
