"""The rain at places: the past hour, the forecast, and the times when rain starts and ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from models.exceedance.odds import Statistic
from radar.rain import WET_FROM
from radar.sequence import Float32, iso
from service.runs.probability import probabilities_at
from service.runs.reader import THRESHOLDS, RunReader
from service.runs.run import Run

_HOUR = 60
_NO_PROBABILITY: dict[str, float | None] = dict.fromkeys(f"{threshold:g}" for threshold in THRESHOLDS)


class ObservedStep(BaseModel):
    """The rain of one timestep: rate in mm/h, amount in mm; null = no data."""

    lead_minutes: int
    valid_from: str
    valid_to: str
    rate: float | None
    amount: float | None


class ForecastStep(ObservedStep):
    """The same with the probabilities (0 to 1) of a rate at or above each threshold in mm/h."""

    probabilities: dict[str, float | None]


class RainTimes(TypedDict):
    """Whether it rains at a place, and when."""

    rain_now: bool | None
    starts_in_minutes: int | None
    ends_in_minutes: int | None


class PlaceRain(BaseModel):
    """The rain at a place. Minutes count from now; null = not within the run, or unknown.

    Once the run's end has passed, all of `forecast` is null, too.
    """

    coverage: Literal["ok", "no_coverage", "missing_data"]
    rain_now: bool | None
    starts_in_minutes: int | None
    ends_in_minutes: int | None
    observed: list[ObservedStep]
    forecast: list[ForecastStep]


@dataclass(frozen=True)
class _Sample:
    """A run's values at P places."""

    rates: dict[int, Float32]
    probabilities: npt.NDArray[np.float32]
    covered: npt.NDArray[np.bool_]


class _Steps:
    """The steps of a run without data: they are equal at every place, and so made only once."""

    def __init__(self, run: Run) -> None:
        self._minutes = run.timestep_minutes
        self._spans = {minutes: _span(run, minutes) for minutes in (*_past(run), *run.lead_minutes)}
        self.observed = [self.observe(minutes, None) for minutes in _past(run)]
        self.forecast = [self.foresee(minutes, None, _NO_PROBABILITY) for minutes in run.lead_minutes]

    def observe(self, minutes: int, rate: float | None) -> ObservedStep:
        """The observed step that ends some minutes after the reference time."""
        start, end = self._spans[minutes]
        return ObservedStep(lead_minutes=minutes, valid_from=start, valid_to=end, rate=rate, amount=self._amount(rate))

    def foresee(self, minutes: int, rate: float | None, probabilities: dict[str, float | None]) -> ForecastStep:
        """The same for a forecast step."""
        start, end = self._spans[minutes]
        return ForecastStep(
            lead_minutes=minutes,
            valid_from=start,
            valid_to=end,
            rate=rate,
            amount=self._amount(rate),
            probabilities=probabilities,
        )

    def _amount(self, rate: float | None) -> float | None:
        return None if rate is None else round(rate * self._minutes / 60, 5)


def describe_places(
    reader: RunReader,
    run: Run,
    earlier: Sequence[Run],
    lat: Sequence[float],
    lon: Sequence[float],
    minutes_ago: int = 0,
    statistic: Statistic = "matched",
) -> Iterator[PlaceRain]:
    """The rain of a run at each place, given in degrees; raises UnknownGrid if the run's grid has no place.

    They are yielded one by one: a thousand places as Python objects would take a garbage collector a third of a second.

    Parameters
    ----------
    minutes_ago : int
        Age of the run's reference time: the step that contains this minute determines whether it rains now. Once the
        run's end has passed only observations are given.
    statistic : Statistic
        Of the forecast's rates, and of when it rains; one that the run has.
    """
    positions = np.array(run.grid.to_row_column(np.array(lat), np.array(lon)))
    nearest = np.floor(positions + 0.5)
    limits = np.array(run.grid.shape)[:, None]
    inside = np.isfinite(positions).all(axis=0) & (nearest >= 0).all(axis=0) & (nearest < limits).all(axis=0)
    steps = _Steps(run)
    if not inside.any():
        yield from (_outside(run, steps) for _ in lat)
        return
    rows, columns = nearest[:, inside].astype(np.int64)
    sample, index = _sample(reader, run, earlier, rows, columns, statistic), 0
    for covered in np.asarray(inside).tolist():
        yield _describe(run, steps, sample, index, max(0, minutes_ago)) if covered else _outside(run, steps)
        index += covered


def _sample(
    reader: RunReader,
    run: Run,
    earlier: Sequence[Run],
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    statistic: Statistic,
) -> _Sample:
    minutes = [*run.observed_minutes, *run.lead_minutes]
    values = reader.at(run, minutes, rows, columns, statistic)
    found = [probabilities_at(reader, run, earlier, lead, rows, columns) for lead in run.lead_minutes]
    rates = dict(zip(minutes, values, strict=True))
    return _Sample(rates, np.array(found, np.float32), reader.covered(run)[rows, columns])


def _describe(run: Run, steps: _Steps, sample: _Sample, index: int, minutes_ago: int) -> PlaceRain:
    rates = {minutes: _number(values[index]) for minutes, values in sample.rates.items()}
    forecast = steps.forecast
    if minutes_ago < ahead_of(run):
        leads = zip(run.lead_minutes, sample.probabilities, strict=True)
        forecast = [steps.foresee(minutes, rates[minutes], _by_threshold(found[:, index])) for minutes, found in leads]
    covered = any(rate is not None for rate in rates.values()) or bool(sample.covered[index])
    known = [_rains(rates[minutes]) for minutes in (0, *run.lead_minutes)]
    return PlaceRain(
        coverage="ok" if rates[0] is not None else "missing_data" if covered else "no_coverage",
        **_when(run, known, minutes_ago),
        observed=[steps.observe(minutes, rates.get(minutes)) for minutes in _past(run)],
        forecast=forecast,
    )


def _outside(run: Run, steps: _Steps) -> PlaceRain:
    """The answer for a place outside the grid."""
    when = _when(run, [None], 0)
    return PlaceRain(coverage="no_coverage", **when, observed=steps.observed, forecast=steps.forecast)


def _past(run: Run) -> Sequence[int]:
    """The minutes at which the steps of the past hour end; for a coarse run only that of the newest frame."""
    return range(-_HOUR + run.timestep_minutes, 1, run.timestep_minutes) or (0,)


def _span(run: Run, minutes: int) -> tuple[str, str]:
    end = run.valid_time(minutes)
    return iso(end - timedelta(minutes=run.timestep_minutes)), iso(end)


def _rains(rate: float | None) -> bool | None:
    return None if rate is None else rate >= WET_FROM


def _when(run: Run, rains: Sequence[bool | None], minutes_ago: int) -> RainTimes:
    """Whether it rains now, when rain starts, and when the current or next rain ends, in minutes from now.

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


def _by_threshold(found: Float32) -> dict[str, float | None]:
    return {name: _number(value) for name, value in zip(_NO_PROBABILITY, found, strict=True)}


def _number(value: np.float32) -> float | None:
    return None if math.isnan(value) else round(float(value), 4)
