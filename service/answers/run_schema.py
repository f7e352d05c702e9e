"""The answers in JSON about runs and places."""

from __future__ import annotations

from pydantic import BaseModel

from service.answers.schema import GridAnswer
from service.runs.points import PlaceRain
from service.runs.run import Method


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
    method: Method
    history_times: list[str]
    degraded: str | None
    attribution: str | None
    thresholds: list[float]
    observed: list[RunFrameAnswer]
    forecast: list[RunFrameAnswer]


class PlacesChanging(BaseModel):
    """What of an answer changes while the rest is kept."""

    age_seconds: int
    degraded: str | None


class PlacesSource(BaseModel):
    """What the rain at places was read from."""

    run: str
    product: str
    grid: str
    reference_time: str
    timestep_minutes: int
    model: str
    version: str
    method: Method
    history_times: list[str]
    attribution: str | None
    probability_method: str
    probability_runs: list[str]


class Place(BaseModel):
    """Where a place is, as it was asked for."""

    name: str | None
    lat: float
    lon: float


class PlaceSeries(PlaceRain, Place):
    """The rain at a place. Minutes count from now; null = not within the run, or unknown.

    Once the run's end has passed, all of `forecast` is null, too.
    """


class PlaceAnswer(PlaceSeries, PlacesSource, PlacesChanging):
    """The rain at one place, and what it was read from."""


class RunsPlacesAnswer(PlacesSource, PlacesChanging):
    """The rain at several places, in the order in which they were asked for."""

    points: list[PlaceSeries]
