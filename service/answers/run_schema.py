"""The answers in JSON about runs and places."""

from __future__ import annotations

from pydantic import BaseModel

from models.exceedance.odds import Statistic
from service.answers.schema import GridAnswer
from service.runs.points import PlaceRain
from service.runs.run import Method


class RunFrameAnswer(BaseModel):
    """The links of a frame of a run; only forecast frames have probabilities."""

    lead_minutes: int
    valid_time: str
    url: str
    probability_url: str | None


class RunAnswer(BaseModel):
    """A run's index. Its age is in the header X-Raincell-Age-Seconds only. In the answer for the latest run, `degraded`
    states that the run's end has passed; everything else never changes. `statistic` is that of the forecast frames
    that are listed, `statistics` are all that the run has, and `probability_method` is that of its probabilities.
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
    statistic: Statistic
    statistics: list[Statistic]
    probability_method: str
    history_times: list[str]
    degraded: str | None
    attribution: str | None
    thresholds: list[float]
    observed: list[RunFrameAnswer]
    forecast: list[RunFrameAnswer]


class PlacesChanging(BaseModel):
    """The part of an answer that changes while the rest is cached."""

    age_seconds: int
    degraded: str | None


class PlacesSource(BaseModel):
    """The source of the rain at places."""

    run: str
    product: str
    grid: str
    reference_time: str
    timestep_minutes: int
    model: str
    version: str
    method: Method
    statistic: Statistic
    history_times: list[str]
    attribution: str | None
    probability_method: str
    probability_runs: list[str]


class Place(BaseModel):
    """A place as requested."""

    name: str | None
    lat: float
    lon: float


class PlaceSeries(PlaceRain, Place):
    """The rain at a place. Minutes count from now; null = not within the run, or unknown.

    Once the run's end has passed, all of `forecast` is null.
    """


class PlaceAnswer(PlaceSeries, PlacesSource, PlacesChanging):
    """The rain at one place, and its source."""


class RunsPlacesAnswer(PlacesSource, PlacesChanging):
    """The rain at several places, in the order of the request."""

    points: list[PlaceSeries]
