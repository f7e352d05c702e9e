"""The same scores, worked out afterwards from runs and frames: other code than the service's, for comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from models.baselines import Extrapolation, SProg
from radar.extrapolation.neighbourhood import exceedance_probability, half_width_km
from radar.ledger.ledger import Key
from radar.scores.fss import fraction_sum, scale_pixels
from radar.scores.sums import SCALES_KM, THRESHOLDS
from radar.sequence import Float32, FrameSequence
from service.history.codec import decode, decode_one, encode
from service.runs.probability import weight
from service.runs.run import WholeRun

Shadows = Mapping[str, Mapping[str, Mapping[int, Float32]]]
"""Frames by run id, by model and by lead minutes."""
Evaluated = dict[Key, list[float]]


def evaluate(
    wholes: Sequence[WholeRun],
    observed: Mapping[datetime, Float32],
    shadows: Shadows | None = None,
    dwd: Mapping[datetime, FrameSequence] | None = None,
) -> Evaluated:
    """Totals in the order of `ScoreSums.values`, over all lead times whose observation is there."""
    totals: Evaluated = {}
    for whole in wholes:
        baselines = _baselines(whole)
        for minutes in whole.run.lead_minutes:
            seen = observed.get(whole.run.valid_time(minutes))
            if seen is None:
                continue
            forecasts = {
                f"{whole.run.model}/{whole.run.version}": decode_one(whole.frames[minutes]),
                "persistence": decode_one(whole.frames[0]),
                **{name: frames[minutes] for name, frames in baselines.items()},
            }
            reference = (dwd or {}).get(whole.run.reference_time)
            if reference is not None:
                forecasts["dwd-rv"] = dict(zip(reference.lead_minutes, reference.rain_rate, strict=True))[minutes]
            known = np.isfinite(seen) & np.logical_and.reduce([np.isfinite(frame) for frame in forecasts.values()])
            for model, frames in (shadows or {}).get(whole.run.id, {}).items():
                forecasts[model] = frames[minutes]
            for model, frame in forecasts.items():
                served = model == f"{whole.run.model}/{whole.run.version}"
                said = _probabilities(whole, wholes, minutes) if served else None
                key = Key(whole.run.product, whole.run.grid.key, model, minutes)
                sums = _sums(np.where(known, frame, np.nan), np.where(known, seen, np.nan), said)
                totals[key] = [a + b for a, b in zip(totals.get(key, [0.0] * len(sums)), sums, strict=True)]
    return totals


def _sums(forecast: Float32, observed: Float32, said: Sequence[Float32] | None) -> list[float]:
    known = [pair for pair in zip(forecast.ravel(), observed.ravel(), strict=True) if np.isfinite(pair).all()]
    errors = [abs(f - o) for f, o in known]
    sums = [1.0, sum(float(error) for error in errors), sum(float(error * error) for error in errors), len(known)]
    for index, threshold in enumerate(THRESHOLDS):
        for wanted in ((True, True), (False, True), (True, False), (False, False)):
            sums.append(sum((bool(f >= threshold), bool(o >= threshold)) == wanted for f, o in known))
        for scale in SCALES_KM:
            near = fraction_sum(forecast, observed, threshold, scale_pixels(scale, 1.0))
            sums += [near.difference, near.reference]
        sums += _brier(observed, said[index], threshold) if said else [0.0, 0.0]
    return sums


def _brier(observed: Float32, probability: Float32, threshold: float) -> list[float]:
    known = np.isfinite(observed) & np.isfinite(probability)
    happened = (observed >= threshold)[known].astype(np.float64)
    return [float(((probability[known].astype(np.float64) - happened) ** 2).sum()), float(known.sum())]


def _probabilities(whole: WholeRun, wholes: Sequence[WholeRun], minutes: int) -> list[Float32]:
    """Those that the service tells: from the neighbourhood in this run and in up to three before it."""
    by_time = {other.run.reference_time: other for other in wholes}
    older = sorted((time for time in by_time if time < whole.run.reference_time), reverse=True)[:3]
    members, weights = [decode_one(whole.frames[minutes])], [16]
    for time in older:
        lag = round((whole.run.reference_time - time) / timedelta(minutes=1))
        if weight(minutes, lag) and minutes + lag in by_time[time].run.lead_minutes:
            members.append(decode_one(by_time[time].frames[minutes + lag]))
            weights.append(weight(minutes, lag))
    half = round(half_width_km(minutes) / whole.run.grid.pixel_size_km)
    return [exceedance_probability(members, threshold, half, weights) for threshold in THRESHOLDS]


def _baselines(whole: WholeRun) -> dict[str, dict[int, Float32]]:
    newest = sorted(whole.run.observed_minutes)[-5:]
    history = decode([whole.frames[minutes] for minutes in newest])
    forecasts = {}
    for baseline in (Extrapolation(), SProg("sprog-cdf", "cdf"), SProg("sprog-mean", "mean")):
        forecast = baseline.forecast(history, len(whole.run.lead_minutes))
        frames = zip(forecast.lead_minutes, encode(forecast), strict=True)
        forecasts[baseline.name] = {minutes: decode_one(frame) for minutes, frame in frames}
    return forecasts
