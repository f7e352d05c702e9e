"""The JSON forms of runs, places and probabilities."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from service.answers.schema import FramesAnswer, GridAnswer


class RunFrameAnswer(BaseModel):
    """Where a frame of a run is found; only forecast frames have probabilities."""

    lead_minutes: int
    valid_time: str
    url: str
    probability_url: str | None


class RunAnswer(BaseModel):
    """A run's index. Its age is in the header X-Raincell-Age-Seconds only; asked for as the latest run, `degraded`
    says once its end has passed, and all else never changes.
    """

    run: str
    url: str
    product: str
    grid: GridAnswer
    reference_time: str
    timestep_minutes: int
    made_at: str
    model: str
    version: str
    method: Literal["model", "extrapolation", "persistence"]
    history_times: list[str]
    degraded: str | None
    attribution: str | None
    thresholds: list[float]
    observed: list[RunFrameAnswer]
    forecast: list[RunFrameAnswer]


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


class PlaceSeries(BaseModel):
    """The rain at a place. Minutes count from now; null = not within the run, or unknown.

    Once the run's end has passed, all of `forecast` is null, too.
    """

    name: str | None
    lat: float
    lon: float
    coverage: Literal["ok", "no_coverage", "missing_data"]
    rain_now: bool | None
    starts_in_minutes: int | None
    ends_in_minutes: int | None
    observed: list[ObservedStep]
    forecast: list[ForecastStep]


class _Source(BaseModel):
    run: str
    product: str
    grid: str
    reference_time: str
    age_seconds: int
    timestep_minutes: int
    model: str
    version: str
    method: Literal["model", "extrapolation", "persistence"]
    history_times: list[str]
    degraded: str | None
    attribution: str | None
    probability_method: str
    probability_runs: list[str]


class PlaceAnswer(_Source, PlaceSeries):
    """The rain at one place, and what it was read from."""


class RunsPlacesAnswer(_Source):
    """The rain at several places, in the order in which they were asked for."""

    points: list[PlaceSeries]


class FieldAnswer(BaseModel):
    """A field of probabilities (1, H, W), 0 to 1, null or NaN = no data, and how it was made."""

    run: str
    product: str
    grid: GridAnswer
    reference_time: str
    lead_minutes: int
    valid_time: str
    threshold: float
    neighbourhood_km: float
    method: str
    runs: list[str]
    degraded: str | None
    attribution: str | None
    frames: FramesAnswer | None = None
