"""Scores of forecasts, as sums that add up and functions that read them.

Sums are additive: those of two batches added are those of the batches together. Pixels where the forecast or the
observation is NaN do not count. A score that is undefined is NaN, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radar.sequence import Float32

NAN = float("nan")


@dataclass(frozen=True)
class ContingencyTable:
    """Counts of pixels at or above a threshold: forecast and observed, one of both, or neither."""

    hits: int = 0
    misses: int = 0
    false_alarms: int = 0
    correct_negatives: int = 0

    def __add__(self, other: ContingencyTable) -> ContingencyTable:
        return ContingencyTable(
            self.hits + other.hits,
            self.misses + other.misses,
            self.false_alarms + other.false_alarms,
            self.correct_negatives + other.correct_negatives,
        )


@dataclass(frozen=True)
class ErrorSum:
    """Sum of absolute errors in mm/h, and the number of pixels."""

    absolute: float = 0.0
    count: int = 0

    def __add__(self, other: ErrorSum) -> ErrorSum:
        return ErrorSum(self.absolute + other.absolute, self.count + other.count)


def contingency(forecast: Float32, observed: Float32, threshold: float) -> ContingencyTable:
    """Count the pixels of two arrays of one shape, in mm/h, by `threshold` (mm/h; equal counts as above)."""
    known = np.isfinite(forecast) & np.isfinite(observed)
    said, seen = (forecast >= threshold) & known, (observed >= threshold) & known
    hits = int((said & seen).sum())
    misses, false_alarms = int(seen.sum()) - hits, int(said.sum()) - hits
    return ContingencyTable(hits, misses, false_alarms, int(known.sum()) - hits - misses - false_alarms)


def absolute_error(forecast: Float32, observed: Float32) -> ErrorSum:
    """Absolute errors of two arrays of one shape, in mm/h."""
    known = np.isfinite(forecast) & np.isfinite(observed)
    return ErrorSum(float(np.abs(forecast[known] - observed[known]).sum(dtype=np.float64)), int(known.sum()))


def csi(table: ContingencyTable) -> float:
    """Critical success index: hits / (hits + misses + false alarms), 0 to 1; NaN without any event."""
    return _ratio(table.hits, table.hits + table.misses + table.false_alarms)


def pod(table: ContingencyTable) -> float:
    """Probability of detection: hits / observed, 0 to 1; NaN where nothing was observed."""
    return _ratio(table.hits, table.hits + table.misses)


def far(table: ContingencyTable) -> float:
    """False alarm ratio: false alarms / forecast, 0 to 1; NaN where nothing was forecast."""
    return _ratio(table.false_alarms, table.hits + table.false_alarms)


def frequency_bias(table: ContingencyTable) -> float:
    """Forecast area / observed area; 1 is unbiased; NaN where nothing was observed."""
    return _ratio(table.hits + table.false_alarms, table.hits + table.misses)


def mae(errors: ErrorSum) -> float:
    """Mean absolute error in mm/h; NaN without any pixel."""
    return _ratio(errors.absolute, errors.count)


def _ratio(above: float, below: float) -> float:
    return above / below if below else NAN
