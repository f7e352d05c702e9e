"""Drift: a loss of skill of the served forecasts against persistence, hour by hour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from radar.scores.pixels import Float64, ratio
from radar.scores.sums import LIVE, THRESHOLDS, ScoreSums, counts_of, read_score
from radar.scores.table import Score
from service.verification.totals import Row, Total, Totals

THRESHOLD = THRESHOLDS[1]
"""Threshold in mm/h of the CSI that drift is computed from."""
LEAST_EVENTS = 100
"""The least pixels with rain, forecast or observed, of a counted hour: a dry hour has no skill, good or bad."""
_HOUR = timedelta(hours=1)


class DriftLimits(NamedTuple):
    """The limits of skill.

    Parameters
    ----------
    skill : float
        CSI's skill against persistence at 1 mm/h below which an hour is bad.
    hours : int
        For how long all counted hours have to be bad.
    lead_minutes : int
        The lead time that is checked, or the nearest shorter one with scores.
    """

    skill: float = 0.0
    hours: int = 6
    lead_minutes: int = 60


class Drift(NamedTuple):
    """The drift of a model.

    Parameters
    ----------
    lead_minutes : int or None
        The lead time that was checked; None without scores.
    skill : float or None
        Skill of the newest counted hour.
    since : datetime or None
        Since when all counted hours are bad; None if the newest is not.
    drifting : bool
        Whether they have been bad for long enough.
    """

    lead_minutes: int | None
    skill: float | None
    since: datetime | None
    drifting: bool


def watched(sums: ScoreSums) -> dict[Score, float]:
    """The scores in gauges and hours, at `THRESHOLD` where they have one; NaN where undefined."""
    index = THRESHOLDS.index(THRESHOLD)
    scores = (score for score in LIVE.scores if score.gauge)
    return {score: float(LIVE.read_by_threshold(score, sums.values)[index]) for score in scores}


def csi_skill(total: Total, threshold: float) -> float:
    """(CSI - CSI of persistence) / (1 - CSI of persistence), 1 is perfect; NaN where one is undefined."""
    mine, theirs = (read_score("csi", sums.values, threshold) for sums in total)
    return float(ratio(mine - theirs, np.asarray(1 - theirs))) if np.isfinite(mine - theirs) else float("nan")


def mae_skill(total: Total) -> float:
    """1 - MAE / MAE of persistence, 1 is perfect; NaN where one is undefined."""
    mine, theirs = (read_score("mae", sums.values) for sums in total)
    return float(1 - ratio(mine, np.asarray(theirs))) if np.isfinite(mine - theirs) else float("nan")


def judge(hours: Mapping[datetime, Totals], model: str, limits: DriftLimits) -> Drift:
    """Whether a model drifts.

    Parameters
    ----------
    hours : mapping of datetime to Totals
        Hours by their beginnings, oldest first.
    """
    lead = judged_lead(hours, model, limits)
    if lead is None:
        return Drift(None, None, None, False)
    scored = [(hour, rows[Row(model, lead)]) for hour, rows in hours.items() if Row(model, lead) in rows]
    skills = [(hour, csi_skill(total, THRESHOLD)) for hour, total in scored if _events(total) >= LEAST_EVENTS]
    skills = [(hour, skill) for hour, skill in skills if np.isfinite(skill)]
    if not skills:
        return Drift(lead, None, None, False)
    newest, skill = skills[-1]
    since = _bad_since(skills, limits.skill)
    lasting = since is not None and newest + _HOUR - since >= limits.hours * _HOUR
    return Drift(lead, skill, since, lasting)


def judged_lead(hours: Mapping[datetime, Totals], model: str, limits: DriftLimits) -> int | None:
    """The lead time of `limits`, or the nearest shorter one that the model has; None without any."""
    leads = {row.lead_minutes for rows in hours.values() for row in rows if row.model == model}
    return max((lead for lead in leads if lead <= limits.lead_minutes), default=None)


def _bad_since(skills: list[tuple[datetime, float]], level: float) -> datetime | None:
    since = None
    for hour, skill in reversed(skills):
        if skill >= level:
            break
        since = hour
    return since


def _events(total: Total) -> float:
    counts: Float64 = counts_of(total.sums.values, THRESHOLD)
    return float(counts[:3].sum())
