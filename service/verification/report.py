"""The scores of a period as GET /verification tells them."""

from __future__ import annotations

import math
from collections.abc import Collection

from radar.score_sums import (
    SCALES_KM,
    THRESHOLDS,
    ScoreSums,
    read_bias,
    read_brier,
    read_csi,
    read_far,
    read_fss,
    read_mae,
    read_pod,
)
from radar.sequence import iso
from radar.verification import Float64
from service.codec import Series
from service.verification.drift import csi_skill, mae_skill
from service.verification.schema import FractionsAnswer, ScoreAnswer, ThresholdAnswer, VerificationAnswer
from service.verification.tally import Period, Row, Total
from service.verification.verification import Verification


def report(
    verification: Verification, series: Series, period: Period, leads: Collection[int] | None = None
) -> VerificationAnswer:
    """The scores of a product and grid, of the given lead times or all."""
    bounds = verification.tally.bounds(series, period)
    totals = verification.tally.totals(series, period)
    rows = sorted(row for row in totals if leads is None or row.lead_minutes in leads)
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
        alerts=verification.alerts(series),
        damaged_lines=verification.tally.damaged,
        degraded=verification.verifier.degraded,
    )


def _score(row: Row, total: Total) -> ScoreAnswer:
    return ScoreAnswer(
        model=row.model,
        lead_minutes=row.lead_minutes,
        frames=total.sums.frames,
        pixels=total.sums.pixels,
        mae=defined(read_mae(total.sums.values)),
        skill=defined(mae_skill(total)),
        thresholds=[_threshold(threshold, total) for threshold in THRESHOLDS],
    )


def _threshold(threshold: float, total: Total) -> ThresholdAnswer:
    values = total.sums.values
    hits, misses, false_alarms, negatives = total.sums.counts(threshold)
    return ThresholdAnswer(
        threshold=threshold,
        hits=hits,
        misses=misses,
        false_alarms=false_alarms,
        correct_negatives=negatives,
        csi=defined(read_csi(values, threshold)),
        pod=defined(read_pod(values, threshold)),
        far=defined(read_far(values, threshold)),
        bias=defined(read_bias(values, threshold)),
        skill=defined(csi_skill(total, threshold)),
        fss=[_fractions(total.sums, threshold, scale) for scale in SCALES_KM],
        brier=defined(read_brier(values, threshold)),
    )


def _fractions(sums: ScoreSums, threshold: float, scale_km: float) -> FractionsAnswer:
    return FractionsAnswer(scale_km=scale_km, fss=defined(read_fss(sums.values, threshold, scale_km)))


def defined(value: Float64 | float) -> float | None:
    """A score, or None where it is undefined."""
    number = float(value)
    return number if math.isfinite(number) else None
