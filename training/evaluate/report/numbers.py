"""Every number of a report, as JSON values; the page shows only these.

`scores` has the rows of `evaluate --json`. Undefined is null. docs/reference/scores.md describes the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from models.baselines import reference_of
from radar.scores.bootstrap import CONFIDENCE, RESAMPLES
from radar.scores.pixels import Float64
from radar.scores.reliability import mean_probability, observed_frequency
from radar.scores.spectrum import rapsd, wavelengths_km
from radar.sequence import iso
from training.evaluate.event_scores import EventScores
from training.evaluate.report.origins import Origin
from training.evaluate.sampled import Sampled
from training.evaluate.seen import UNSEEN
from training.evaluate.table import ENDS, json_row, null_if_nan

OBSERVED = "observed"
"""The "model" in the spectrum of the observations."""

Row = dict[str, Any]


def report_numbers(scored: Sequence[EventScores], origins: Mapping[str, Origin]) -> dict[str, Any]:
    """All numbers of a report, as `json.dumps` takes them; `origins` holds the owner of each event's data.

    Returns
    -------
    dict
        about, events, scores (by lead and threshold), means (over lead times), differences (of means from the
        reference), spectra and reliability.
    """
    samples = [(event, event.sampled()) for event in scored]
    return {
        "about": {"made": iso(datetime.now(UTC)), "resamples": RESAMPLES, "confidence": CONFIDENCE},
        "events": [_event(event) | origins.get(event.event, {}) for event in scored],
        "scores": [json_row(row) for event, sampled in samples for row in event.rows(sampled)],
        "means": [row for pair in samples for row in _means(*pair)],
        "differences": [row for pair in samples for row in _differences(*pair)],
        "spectra": [row for event in scored for row in _spectra(event)],
        "reliability": [row for event in scored for row in _reliability(event)],
    }


def _event(event: EventScores) -> Row:
    rows, columns = event.grid.shape
    wavelengths = wavelengths_km(event.grid.shape, event.grid.pixel_size_km)
    return {
        "event": event.event,
        "rows": rows,
        "columns": columns,
        "pixel_size_km": event.grid.pixel_size_km,
        "models": list(event.sums),
        "probabilities": dict(event.methods),
        "seen": {model: event.seen.get(model, UNSEEN) for model in event.sums},
        "thresholds": list(event.measure.thresholds),
        "fss_km": list(event.measure.fss_km),
        "lead_minutes": list(event.lead_minutes),
        "starts": len(event.reference_times),
        "first_start": iso(event.reference_times[0]),
        "last_start": iso(event.reference_times[-1]),
        "starts_in_a_block": event.block,
        "wavelengths_km": _list(wavelengths[1:]),
    }


def _means(event: EventScores, sampled: Mapping[str, Sampled]) -> Iterator[Row]:
    for model, scores in sampled.items():
        for threshold, values in _by_threshold(event, scores.over_leads()):
            yield {"model": model, "event": event.event, "threshold": threshold, **values}


def _differences(event: EventScores, sampled: Mapping[str, Sampled]) -> Iterator[Row]:
    reference = reference_of(sampled)
    if reference is None:
        return
    for model in (name for name in sampled if name != reference):
        about = {"model": model, "reference": reference, "event": event.event}
        difference = sampled[model].minus(sampled[reference]).over_leads()
        for threshold, values in _by_threshold(event, difference):
            yield {**about, "threshold": threshold, **values}


def _by_threshold(event: EventScores, means: Sampled) -> Iterator[tuple[float, Row]]:
    """Scores and their bounds, for each threshold."""
    bounds = means.intervals()
    for index, threshold in enumerate(event.measure.thresholds):
        values = {name: float(value[index]) for name, value in means.scores.items()}
        ends = {
            f"{name}_{end}": float(value[index])
            for name, both in bounds.items()
            for end, value in zip(ENDS, both, strict=True)
        }
        yield threshold, {name: null_if_nan(value) for name, value in (values | ends).items()}


def _spectra(event: EventScores) -> Iterator[Row]:
    """Power at each of the event's wavelengths; the mean of a field, which has no wavelength, is left out."""
    for model, spectra in {OBSERVED: event.observed_spectra, **event.spectra}.items():
        for minutes, spectrum in zip(event.lead_minutes, spectra, strict=True):
            power = _list(rapsd(spectrum)[1:])
            yield {"model": model, "event": event.event, "lead_minutes": minutes, "power": power}


def _reliability(event: EventScores) -> Iterator[Row]:
    for model, leads in event.reliability.items():
        for minutes, sums in zip(event.lead_minutes, leads, strict=True):
            for threshold, bins in zip(event.measure.thresholds, sums, strict=True):
                yield {
                    "model": model,
                    "event": event.event,
                    "lead_minutes": minutes,
                    "threshold": threshold,
                    "probability": _list(mean_probability(bins)),
                    "frequency": _list(observed_frequency(bins)),
                    "count": [int(count) for count in bins.count],
                }


def _list(values: Float64) -> list[float | None]:
    """Values rounded to seven figures, more than the page shows."""
    return [None if np.isnan(value) else float(f"{value:.7g}") for value in values]
