"""Checks of every model before its export: dry fields stay dry, and uniform rain stays uniform."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from models.recurrent import MOST_GROWTH, RecurrentForecaster
from radar.errors import ArtifactRejected
from radar.grid import Grid
from radar.sequence import Float32, FrameSequence, times_after

_ROWS, _COLUMNS = 32, 40
_LEADS = 12
_ROUNDING = 1e-5


def check_sound_numbers(forecaster: RecurrentForecaster) -> dict[str, float]:
    """Forecast a dry field, uniformly wet fields, and a single covered pixel.

    Returns
    -------
    dict
        By field, the largest forecast rate divided by the input rate; for the dry field in mm/h.

    Raises
    ------
    ArtifactRejected
        The dry field does not stay exactly dry, another grows beyond `models.recurrent.MOST_GROWTH`, or a forecast has
        values outside the coverage, or lacks values within it.
    """
    least = max(forecaster.card.scaling.dry_below, 0.05)
    largest = {"dry": _largest(forecaster, _field(0.0))}
    for rate in (least, 1.0, 50.0):
        largest[f"{rate:g} mm/h everywhere"] = _largest(forecaster, _field(rate)) / rate
        largest[f"{rate:g} mm/h in one covered pixel"] = _largest(forecaster, _field(rate, one_pixel=True)) / rate
    wrong = [
        f"{value:g} for {field}"
        for field, value in largest.items()
        if not value <= (0 if field == "dry" else MOST_GROWTH * (1 + _ROUNDING))
    ]
    if wrong:
        raise ArtifactRejected(
            expected=f"a dry field to stay dry and rain to grow to {MOST_GROWTH:g} of itself at most",
            got=", ".join(wrong),
            remedy="report this: the roll-out is faulty",
        )
    return {field: round(value, 6) for field, value in largest.items()}


def _field(rate: float, *, one_pixel: bool = False) -> Float32:
    """One frame (H, W) of one rate, covered everywhere or only in one pixel."""
    if not one_pixel:
        return np.full((_ROWS, _COLUMNS), rate, np.float32)
    frame = np.full((_ROWS, _COLUMNS), np.nan, np.float32)
    frame[_ROWS // 2, _COLUMNS // 2] = rate
    return frame


def _largest(forecaster: RecurrentForecaster, frame: Float32) -> float:
    """The largest rate of the forecast from equal frames; infinite if it covers other pixels."""
    card = forecaster.card
    longest = card.longest_lead_minutes // card.timestep_minutes
    times = times_after(datetime(2000, 1, 1, tzinfo=UTC), card.input_length, card.timestep_minutes)
    frames = np.repeat(frame[None], card.input_length, axis=0)
    history = FrameSequence(frames, times, Grid("field", frame.shape, card.pixel_size_km), card.timestep_minutes)
    forecast = forecaster.forecast(history, min(_LEADS, longest)).rain_rate
    if (np.isnan(forecast) != np.isnan(frame)).any():
        return float("inf")
    return float(np.nanmax(forecast))
