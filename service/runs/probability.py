"""Probabilities of rain: the model's own, or those from the neighbourhood in a run and in earlier runs.

A run with a distribution has the former. The latter are for all others: of models that forecast rates, of methods that
stand in for a model, and of former versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.exceedance.odds import probabilities as chances
from radar.extrapolation.neighbourhood import half_width_km, half_width_pixels, pooled_shares
from radar.sequence import Float32
from service.errors import RunExpired, UnknownRun
from service.runs.reader import NO_DATA, THRESHOLDS, WHOLE, Classes, RunReader, Window
from service.runs.run import Run

_OWN = "model"
_NEIGHBOURHOOD = "neighbourhood and time-lagged runs"
WHOLE_WEIGHT = 16
"""The weight of a run itself; whole numbers, so that sums are exact and dry stays 0."""


class Member(NamedTuple):
    """A frame of the sample: its run, its minutes after the run's reference time, and its weight."""

    run: Run
    minutes: int
    weight: int


def method_of(run: Run) -> str:
    """How a run's probabilities are made, as answers name it."""
    return _OWN if run.thresholds else _NEIGHBOURHOOD


def neighbourhood_km(run: Run, lead_minutes: int) -> float | None:
    """The width of the square that is counted; None for a model's own probabilities, which are of the pixel."""
    return None if run.thresholds else round(2 * half_width_km(lead_minutes), 1)


def weight(lead_minutes: float, lag_minutes: float) -> int:
    """The weight of an earlier run by its lag: it falls with the share of the lag in the lead time.

    Measured by benchmarks/reliability.py; see docs/lab/probabilities.md.
    """
    return round(WHOLE_WEIGHT * (lead_minutes / (lead_minutes + lag_minutes)) ** 6)


def members(run: Run, earlier: Sequence[Run], lead_minutes: int) -> list[Member]:
    """The counted frames of these runs for one valid time, that of `run` first."""
    lags = [round((run.reference_time - other.reference_time).total_seconds() / 60) for other in earlier]
    lagged = [
        Member(other, lead_minutes + lag, weight(lead_minutes, lag)) for other, lag in zip(earlier, lags, strict=True)
    ]
    usable = [member for member in lagged if member.weight and member.minutes in member.run.lead_minutes]
    return [Member(run, lead_minutes, WHOLE_WEIGHT), *usable]


def probabilities(
    reader: RunReader,
    run: Run,
    earlier: Sequence[Run],
    lead_minutes: int,
    thresholds: Sequence[float] = THRESHOLDS,
    window: Window = WHOLE,
) -> list[Float32]:
    """For each threshold a field (H, W) of the window, 0 to 1; NaN where the run has no forecast.

    `earlier` are those of `earlier_runs`.
    """
    if run.thresholds:
        odds = reader.odds(run, lead_minutes)[:, *window]
        return [chances(odds, run.thresholds, threshold) for threshold in thresholds]
    half = half_width_pixels(lead_minutes, run.grid.pixel_size_km)
    wide, inner = _widened(window, run.grid.shape, half)
    first, *lagged = members(run, earlier, lead_minutes)
    found = [(_classes(reader, member, wide), member.weight) for member in lagged]
    usable = [(part, counts) for part, counts in found if part is not None]
    parts = [reader.classes(first.run, first.minutes)[wide], *(part for part, _ in usable)]
    known = [part != NO_DATA for part in parts]
    reached = [THRESHOLDS.index(threshold) for threshold in thresholds]
    exceeding = [[(part > class_) & there for part, there in zip(parts, known, strict=True)] for class_ in reached]
    fields = pooled_shares(exceeding, known, half, [first.weight, *(counts for _, counts in usable)])
    return [field[inner] for field in fields]


def probabilities_at(
    reader: RunReader,
    run: Run,
    earlier: Sequence[Run],
    lead_minutes: int,
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
) -> list[Float32]:
    """As `probabilities` of all `THRESHOLDS`, at places (P,)."""
    if run.thresholds:
        odds = reader.odds(run, lead_minutes)[:, rows, columns]
        return [chances(odds, run.thresholds, threshold) for threshold in THRESHOLDS]
    top, left = int(rows.min()), int(columns.min())
    window = slice(top, int(rows.max()) + 1), slice(left, int(columns.max()) + 1)
    fields = probabilities(reader, run, earlier, lead_minutes, window=window)
    return [field[rows - top, columns - left] for field in fields]


def _classes(reader: RunReader, member: Member, window: Window) -> Classes | None:
    try:
        return reader.classes(member.run, member.minutes)[window]
    except (UnknownRun, RunExpired):
        return None  # an earlier run that was removed meanwhile


def _widened(window: Window, shape: tuple[int, int], margin: int) -> tuple[Window, Window]:
    """The window with a margin on all sides within the grid, and the window's place in the result."""
    wide, inner = [], []
    for part, size in zip(window, shape, strict=True):
        start, stop, _ = part.indices(size)
        first = max(0, start - margin)
        wide.append(slice(first, min(size, stop + margin)))
        inner.append(slice(start - first, stop - first))
    return (wide[0], wide[1]), (inner[0], inner[1])
