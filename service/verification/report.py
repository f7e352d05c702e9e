"""The scores of a period for GET /verification."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from radar.errors import InvalidRequest
from radar.scores.pixels import Float64
from radar.scores.sums import LIVE, SCALES_KM, THRESHOLDS
from radar.scores.table import Axis, at_width
from radar.sequence import iso
from service.history.codec import SeriesKey
from service.verification.drift import THRESHOLD, csi_skill, judged_lead, mae_skill, watched
from service.verification.schema import FractionsAnswer, HourAnswer, ScoreAnswer, ThresholdAnswer, VerificationAnswer
from service.verification.totals import Period, Row, Total, Totals
from service.verification.verification import Verification


def report(
    verification: Verification, series: SeriesKey, period: Period, lead_minutes: int | None = None
) -> VerificationAnswer:
    """The scores of a product and grid, at one lead time or all; raises InvalidRequest for an impossible lead time."""
    bounds = verification.ledger.bounds(series, period)
    totals = verification.ledger.totals(series, period)
    _check_lead(lead_minutes, totals)
    hours = {hour: rows for hour, rows in verification.ledger.hours(series).items() if bounds and hour >= bounds[0]}
    lead = judged_lead(hours, verification.served, verification.limits) if lead_minutes is None else lead_minutes
    rows = sorted(row for row in totals if lead_minutes in (None, row.lead_minutes))
    return VerificationAnswer(
        product=series.product,
        grid=series.grid,
        period=period,
        since=iso(bounds[0]) if bounds else None,
        until=iso(bounds[1]) if bounds else None,
        served=verification.served,
        shadows=verification.shadows.references,
        refused_shadows=verification.shadows.refused,
        scores=[_score(row, totals[row]) for row in rows],
        hours_lead_minutes=lead,
        hours=_hours(hours, lead),
        alerts=verification.alerts(series),
        damaged_lines=verification.ledger.damaged,
        degraded=verification.degraded,
    )


def _check_lead(lead_minutes: int | None, totals: Totals) -> None:
    """Raise InvalidRequest unless a lead time is a multiple of the timestep, which has or may get scores."""
    step = math.gcd(*(row.lead_minutes for row in totals))
    if lead_minutes is not None and step and lead_minutes % step:
        raise InvalidRequest(
            expected=f"lead_minutes a multiple of {step}",
            got=str(lead_minutes),
            remedy="ask for another lead time, or for all of them without lead_minutes",
        )


def _hours(hours: Mapping[datetime, Totals], lead: int | None) -> list[HourAnswer]:
    return [
        HourAnswer(
            hour=iso(hour),
            model=row.model,
            frames=total.sums.frames,
            skill=defined(csi_skill(total, THRESHOLD)),
            **{score.name: defined(value) for score, value in watched(total.sums).items()},
        )
        for hour, rows in hours.items()
        for row, total in sorted(rows.items(), key=lambda pair: pair[0])
        if row.lead_minutes == lead
    ]


def _score(row: Row, total: Total) -> ScoreAnswer:
    scores = LIVE.read_all(total.sums.values)
    return ScoreAnswer(
        model=row.model,
        lead_minutes=row.lead_minutes,
        frames=total.sums.frames,
        pixels=total.sums.pixels,
        skill=defined(mae_skill(total)),
        thresholds=[_threshold(index, total, scores) for index in range(len(THRESHOLDS))],
        **{name: defined(scores[name][0]) for name in _names("frame")},
    )


def _threshold(index: int, total: Total, scores: Mapping[str, Float64]) -> ThresholdAnswer:
    threshold = THRESHOLDS[index]
    hits, misses, false_alarms, negatives = total.sums.counts(threshold)
    return ThresholdAnswer(
        threshold=threshold,
        hits=hits,
        misses=misses,
        false_alarms=false_alarms,
        correct_negatives=negatives,
        skill=defined(csi_skill(total, threshold)),
        fss=[_fractions(scale, index, scores) for scale in SCALES_KM],
        **{name: defined(scores[name][index]) for name in _names("threshold")},
    )


def _fractions(scale_km: float, index: int, scores: Mapping[str, Float64]) -> FractionsAnswer:
    near = {name: scores[at_width(name, scale_km)][index] for name in _names("neighbourhood")}
    return FractionsAnswer(scale_km=scale_km, **{name: defined(value) for name, value in near.items()})


def _names(axis: Axis) -> list[str]:
    """The live scores of an axis."""
    return [score.name for score in LIVE.scores if score.axis == axis]


def defined(value: Float64 | float) -> float | None:
    """A score, or None where it is undefined."""
    number = float(value)
    return number if math.isfinite(number) else None
