"""The sums of each start of a hindcast, and the scores read from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from radar.counts import STORED, Counts
from radar.scores.fss import FractionSum, fss
from radar.scores.measure import Measure
from radar.scores.pixels import ErrorSum, Float64, categorical, mae, read_many, rmse
from radar.sequence import Float32
from training.evaluate.table import null_if_nan

FSS_KM = 10.0
"""Width of the neighbourhoods of FSS."""
_PLAIN = ("saturated_pixels", "frames", "absolute_error", "squared_error", "pixels")
_BY_THRESHOLD = ("hits", "misses", "false_alarms", "correct_negatives", "fss_difference", "fss_reference")


def sum_names(thresholds: Sequence[float]) -> list[str]:
    """What the sums are, in their order, the first before those of `Measure`; those of thresholds as "hits_0.1"."""
    return [*_PLAIN, *(f"{name}_{threshold:g}" for threshold in thresholds for name in _BY_THRESHOLD)]


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
        `radar.counts`; only pixels count that all of them and the observation know.
    saturated : int (leads,), of each forecaster
        Pixels that were above the range of the counts.
    observed : float32 (H, W) or None for each lead
        Zeros are what a lead adds that nobody observed.
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
    for lead, seen in enumerate(observed):
        if seen is None:
            continue
        known = np.logical_and.reduce([np.isfinite(seen), *(np.isfinite(rain[lead]) for rain in each)])
        truth = np.where(known, seen, np.float32(np.nan))
        for index, rain in enumerate(each):
            said = np.where(known, rain[lead], np.float32(np.nan))
            sums[index, lead, 1:] = measure.sums(said, truth, pixel_size_km)
    return sums


def read_scores(sums: Float64, thresholds: Sequence[float]) -> dict[str, Float64]:
    """Scores of sums (..., sums), (..., thresholds) each; undefined = NaN, those without a threshold repeated."""
    measure, sums = _measure(thresholds), sums[..., 1:]
    counts, errors = measure.counts(sums), measure.errors(sums)
    plain = {"mae": read_many(mae, ErrorSum, errors), "rmse": read_many(rmse, ErrorSum, errors)}
    return {
        **categorical(counts),
        "fss": read_many(fss, FractionSum, measure.fractions(sums)[..., 0, :]),
        **{name: np.broadcast_to(values[..., None], counts.shape[:-1]) for name, values in plain.items()},
    }


def score_rows(
    total: Float64, forecasters: Sequence[str], lead_minutes: Sequence[int], thresholds: Sequence[float]
) -> list[dict[str, Any]]:
    """A row of JSON values for each forecaster, lead and threshold; undefined scores are None.

    `total` is float64 (forecasters, leads, sums), `frames` how many forecasts were compared, `pixels` their pixels,
    and `saturated_pixels` those of all forecasts that were above the range in which they are kept.
    """
    scores, pixels = read_scores(total, thresholds), _PLAIN.index("pixels")
    return [
        {
            "forecaster": forecaster,
            "lead_minutes": minutes,
            "threshold": threshold,
            **{name: null_if_nan(float(values[who, lead, level])) for name, values in scores.items()},
            "frames": int(total[who, lead, 1]),
            "pixels": int(total[who, lead, pixels]),
            "saturated_pixels": int(total[who, lead, 0]),
        }
        for who, forecaster in enumerate(forecasters)
        for lead, minutes in enumerate(lead_minutes)
        for level, threshold in enumerate(thresholds)
    ]


def score_tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """For each threshold a Markdown table of CSI, FSS, bias and MAE by lead time, forecaster beside forecaster."""
    forecasters = dict.fromkeys(row["forecaster"] for row in rows)
    shown = {"CSI": "csi", f"FSS {FSS_KM:g} km": "fss", "bias": "bias", "MAE": "mae"}
    head = ["lead (min)", "frames", *(f"{title} {name}" for title in shown for name in forecasters)]
    lines: list[str] = []
    for threshold in dict.fromkeys(row["threshold"] for row in rows):
        lines += ["", f"**{threshold:g} mm/h**", "", _line(head), "|---" * len(head) + "|"]
        for minutes in dict.fromkeys(row["lead_minutes"] for row in rows):
            at = {
                row["forecaster"]: row
                for row in rows
                if (row["threshold"], row["lead_minutes"]) == (threshold, minutes)
            }
            frames = str(max(row["frames"] for row in at.values()))
            cells = [_cell(at[name][score]) for score in shown.values() for name in forecasters]
            lines.append(_line([str(minutes), frames, *cells]))
    return "\n".join(lines[1:])


def _measure(thresholds: Sequence[float]) -> Measure:
    return Measure(tuple(thresholds), (FSS_KM,))


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
