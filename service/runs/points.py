"""The rain at places: the past hour, the forecast, when it starts and when it ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from radar.rain import WET_FROM
from radar.sequence import Float32, iso
from service.runs.probability import probabilities
from service.runs.reader import THRESHOLDS, RunReader
from service.runs.run import Run

_HOUR = 60
_NO_PROBABILITY: dict[str, float | None] = dict.fromkeys(f"{threshold:g}" for threshold in THRESHOLDS)

Place = dict[str, Any]
"""What is told of a place, ready for JSON."""


@dataclass(frozen=True)
class _Sample:
    """What a run says at P places."""

    observed: tuple[int, ...]
    leads: tuple[int, ...]
    rates: dict[int, Float32]
    chances: npt.NDArray[np.float32]
    covered: npt.NDArray[np.bool_]


def describe_places(
    reader: RunReader,
    run: Run,
    earlier: Sequence[Run],
    lat: Sequence[float],
    lon: Sequence[float],
    minutes_ago: int = 0,
) -> Iterator[Place]:
    """What a run tells of each place, given in degrees; raises UnknownGrid if the run's grid has no place.

    One after the other: a thousand places as Python objects would take a garbage collector a third of a second.

    Parameters
    ----------
    minutes_ago : int
        How long ago the run began: whether it rains now is asked of the step that holds this minute. Once the run's
        end has passed nothing is told but what was observed.
    """
    positions = np.array(run.grid.to_row_column(np.array(lat), np.array(lon)))
    nearest = np.floor(positions + 0.5)
    limits = np.array(run.grid.shape)[:, None]
    inside = np.isfinite(positions).all(axis=0) & (nearest >= 0).all(axis=0) & (nearest < limits).all(axis=0)
    if not inside.any():
        yield from (_outside(run) for _ in lat)
        return
    rows, columns = nearest[:, inside].astype(np.int64)
    sample, index = _sample(reader, run, earlier, rows, columns), 0
    for covered in np.asarray(inside).tolist():
        yield _describe(run, sample, index, max(0, minutes_ago)) if covered else _outside(run)
        index += covered


def _sample(
    reader: RunReader, run: Run, earlier: Sequence[Run], rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
) -> _Sample:
    minutes = [*run.observed_minutes, *run.lead_minutes]
    values = reader.at(run, minutes, rows, columns)
    top, left = int(rows.min()), int(columns.min())
    window = slice(top, int(rows.max()) + 1), slice(left, int(columns.max()) + 1)
    chances = np.empty((len(run.lead_minutes), len(THRESHOLDS), len(rows)), np.float32)
    for lead, kind in zip(run.lead_minutes, chances, strict=True):
        for place, field in enumerate(probabilities(reader, run, earlier, lead, window=window)):
            kind[place] = field[rows - top, columns - left]
    observed = tuple(range(-_HOUR + run.timestep_minutes, 1, run.timestep_minutes)) or (0,)
    rates = dict(zip(minutes, values, strict=True))
    return _Sample(observed, run.lead_minutes, rates, chances, reader.covered(run)[rows, columns])


def _describe(run: Run, sample: _Sample, index: int, minutes_ago: int) -> Place:
    rates = {minutes: _number(values[index]) for minutes, values in sample.rates.items()}
    past = [_step(run, minutes, rates.get(minutes)) for minutes in sample.observed]
    forecast = [
        {**_step(run, minutes, rates[minutes]), "probabilities": _chances(chances[:, index])}
        for minutes, chances in zip(sample.leads, sample.chances, strict=True)
    ]
    if minutes_ago >= ahead_of(run):
        forecast = _nothing_ahead(run)
    seen = any(rate is not None for rate in rates.values()) or bool(sample.covered[index])
    coverage = "ok" if rates[0] is not None else "missing_data" if seen else "no_coverage"
    known = [_rains(rates[minutes]) for minutes in (0, *sample.leads)]
    when = _when(run, known, minutes_ago)
    return {"coverage": coverage, **when, "observed": past, "forecast": forecast}


def _rains(rate: float | None) -> bool | None:
    return None if rate is None else rate >= WET_FROM


def _outside(run: Run) -> Place:
    """A place that the grid does not reach."""
    past = [_step(run, minutes, None) for minutes in range(-_HOUR + run.timestep_minutes, 1, run.timestep_minutes)]
    return {"coverage": "no_coverage", **_when(run, [None], 0), "observed": past, "forecast": _nothing_ahead(run)}


def _nothing_ahead(run: Run) -> list[dict[str, Any]]:
    """The steps of a forecast of which nothing is told."""
    return [{**_step(run, lead, None), "probabilities": dict(_NO_PROBABILITY)} for lead in run.lead_minutes]


def _when(run: Run, rains: Sequence[bool | None], minutes_ago: int) -> dict[str, bool | int | None]:
    """Whether it rains now, when it starts, and when the rain that falls now or starts next ends; minutes from now.

    `rains` is of the reference time and of each lead time. After the run's end all is None, since
    what has passed is no forecast.
    """
    step = run.timestep_minutes
    passed, rest = divmod(minutes_ago, step)
    left = rains[passed:]
    now, ahead = (left[0], left[1:]) if left and (ahead_of(run) > minutes_ago or not minutes_ago) else (None, [])
    start = 0 if now else None
    if now is False:
        dry = len(list(takewhile(lambda rains: rains is False, ahead)))
        start = dry if dry < len(ahead) and ahead[dry] else None
    end = None
    if start is not None:
        last = start + len(list(takewhile(lambda rains: rains is True, ahead[start:])))
        end = last if last < len(ahead) and ahead[last] is False else None
    return {
        "rain_now": now,
        "starts_in_minutes": None if start is None or now else max(0, start * step - rest),
        "ends_in_minutes": None if end is None else max(0, end * step - rest),
    }


def ahead_of(run: Run) -> int:
    """Minutes from the reference time to the run's end."""
    return max(run.lead_minutes, default=0)


def _step(run: Run, minutes: int, rate: float | None) -> dict[str, Any]:
    end = run.valid_time(minutes)
    return {
        "lead_minutes": minutes,
        "valid_from": iso(end - timedelta(minutes=run.timestep_minutes)),
        "valid_to": iso(end),
        "rate": rate,
        "amount": None if rate is None else round(rate * run.timestep_minutes / 60, 5),
    }


def _chances(chances: Float32) -> dict[str, float | None]:
    return {f"{threshold:g}": _number(chance) for threshold, chance in zip(THRESHOLDS, chances, strict=True)}


def _number(value: np.float32) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)
