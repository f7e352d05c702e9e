"""The form of GET /verification's JSON. Its scores are the live ones of `radar.scores.table`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, create_model

from radar.scores.sums import LIVE
from radar.scores.table import Score
from service.verification.totals import Period

Answer = TypeVar("Answer", bound=BaseModel)


def _with_scores(chosen: Callable[[Score], object]) -> Callable[[type[Answer]], type[Answer]]:
    """Give an answer a field for each chosen live score: a number, or null where undefined."""

    def add(answer: type[Answer]) -> type[Answer]:
        scores: dict[str, Any] = {score.name: (float | None, ...) for score in LIVE.scores if chosen(score)}
        named: dict[str, Any] = {"__base__": answer, "__module__": __name__, "__doc__": answer.__doc__}
        made: type[Answer] = create_model(answer.__name__, **named, **scores)
        return made

    return add


@_with_scores(lambda score: score.axis == "neighbourhood")
class FractionsAnswer(BaseModel):
    """FSS in neighbourhoods of one width; null where nothing was forecast or observed."""

    scale_km: float


@_with_scores(lambda score: score.axis == "threshold")
class ThresholdAnswer(BaseModel):
    """Counts of pixels by a threshold, and scores from them; undefined scores are null.

    `skill` is that of CSI against persistence on the same pixels; `brier` is that of the served probabilities.
    """

    threshold: float
    hits: int
    misses: int
    false_alarms: int
    correct_negatives: int
    skill: float | None
    fss: list[FractionsAnswer]


@_with_scores(lambda score: score.axis == "frame")
class ScoreAnswer(BaseModel):
    """The scores of one model at one lead time; `skill` is 1 - MAE / MAE of persistence."""

    model: str
    lead_minutes: int
    frames: int
    pixels: int
    skill: float | None
    thresholds: list[ThresholdAnswer]


@_with_scores(lambda score: score.gauge)
class HourAnswer(BaseModel):
    """One hour of a model at one lead time; `csi` and its `skill` against persistence at 1 mm/h, `mae` in mm/h."""

    hour: str
    model: str
    frames: int
    skill: float | None


class AlertAnswer(BaseModel):
    """A watched quantity, and whether it is out of its bounds; bounds are null while they are learnt."""

    name: Literal["drift", "wet_fraction", "maximum", "missing_fraction", "gap_minutes"]
    product: str
    grid: str
    active: bool
    value: float | None
    low: float | None
    high: float | None
    since: str | None
    detail: str


class VerificationAnswer(BaseModel):
    """The scores of a period; `since` and `until` bound the valid times, null where nothing was scored.

    `hours` lists the hours of the period, of eight days at most, at one lead time: the requested one, or that of drift;
    each hour is named by its beginning. `refused_shadows` are shadow models that this replica cannot load, and why.
    """

    product: str
    grid: str
    period: Period
    since: str | None
    until: str | None
    served: str
    shadows: list[str]
    refused_shadows: dict[str, str]
    scores: list[ScoreAnswer]
    hours_lead_minutes: int | None
    hours: list[HourAnswer]
    alerts: list[AlertAnswer]
    damaged_lines: int
    degraded: str | None
