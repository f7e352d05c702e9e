"""What half precision costs: scores of a model's float16 file beside those of its float32 file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tqdm import tqdm

from models.forecaster import Forecaster
from models.recurrent import RecurrentForecaster
from radar.scores.pixels import ContingencyTable, ErrorSum, contingency, csi, error_sum, mae
from radar.sequence import Float32, FrameSequence
from training.export.parity import parity_steps, storm

_SEEDS = (1, 2, 3, 4)
_SHAPE = (64, 64)
_THRESHOLD = 1.0


def float16_scores(float32: RecurrentForecaster, float16: RecurrentForecaster) -> dict[str, Any]:
    """JSON values: the set of storms, both files' mean CSI at 1 mm/h and MAE in mm/h, and how far they differ.

    CSI is the mean over lead times of that of all storms; None where no lead time has an event.
    """
    leads = parity_steps(float32.card)
    both = (_Sums(float32, leads), _Sums(float16, leads))
    largest = 0.0
    for seed in tqdm(_SEEDS, "float16 beside float32", leave=False):
        sequence = storm(float32.card, _SHAPE, float32.input_length + leads, seed=seed)
        one, other = (sums.add(sequence) for sums in both)
        largest = max(largest, float(np.nanmax(np.abs(one - other))))
    one_scores, other_scores = (sums.scores() for sums in both)
    rows, columns = _SHAPE
    return {
        "storms": f"radar.synthetic, seeds {_SEEDS[0]} to {_SEEDS[-1]}, {rows} x {columns} pixels, {leads} leads",
        "float32": one_scores,
        "float16": other_scores,
        "difference": {name: _difference(other_scores[name], one_scores[name]) for name in one_scores},
        "largest_difference_mm_per_hour": largest,
    }


class _Sums:
    """What one forecaster's scores add up from."""

    def __init__(self, forecaster: Forecaster, leads: int) -> None:
        self._forecaster = forecaster
        self._tables = [ContingencyTable()] * leads
        self._errors = ErrorSum()

    def add(self, sequence: FrameSequence) -> Float32:
        """Forecast the last frames of a storm from those before, and score them; gives the forecast (leads, H, W)."""
        leads = len(self._tables)
        history, observed = sequence.rain_rate[:-leads], sequence.rain_rate[-leads:]
        past = FrameSequence(
            history, sequence.valid_times[:-leads], sequence.grid, sequence.timestep_minutes, sequence.product
        )
        forecast = self._forecaster.forecast(past, leads).rain_rate
        for lead, (said, seen) in enumerate(zip(forecast, observed, strict=True)):
            self._tables[lead] += contingency(said, seen, _THRESHOLD)
            self._errors += error_sum(said, seen)
        return forecast

    def scores(self) -> dict[str, float | None]:
        defined = [value for value in map(csi, self._tables) if math.isfinite(value)]
        return {
            "csi_1_mm_per_hour": sum(defined) / len(defined) if defined else None,
            "mae_mm_per_hour": mae(self._errors),
        }


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other
