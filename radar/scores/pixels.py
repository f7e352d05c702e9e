"""Scores of rain rates, as sums that add up and functions that read them.

Sums are additive: those of two batches added are those of the batches together. Pixels where the forecast or the
observation is NaN do not count. A score that is undefined is NaN, never 0. Neighbourhoods are in `radar.scores.fss`,
ensembles and probabilities in `radar.scores.probability`, power spectra in `radar.scores.spectrum`, errors weighted by
rain in `radar.scores.balanced`, pictures in `radar.scores.image_quality`, intervals in `radar.scores.bootstrap`.

A score can read many sums at once (`read_many`): from arrays of one shape instead of numbers it computes an array of
that shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast, overload

import numpy as np
import numpy.typing as npt

from radar.sequence import Float32

Float64 = npt.NDArray[np.float64]
NAN = float("nan")
Sum = TypeVar("Sum")


@dataclass(frozen=True)
class ContingencyTable:
    """Counts of pixels at or above a threshold in both forecast and observation, in one of them, or in neither."""

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

    @property
    def pixels(self) -> int:
        """The number of compared pixels."""
        return self.hits + self.misses + self.false_alarms + self.correct_negatives


@dataclass(frozen=True)
class ErrorSum:
    """Sums of absolute (mm/h) and squared errors ((mm/h)^2), and the number of pixels."""

    absolute: float = 0.0
    squared: float = 0.0
    count: int = 0

    def __add__(self, other: ErrorSum) -> ErrorSum:
        return ErrorSum(self.absolute + other.absolute, self.squared + other.squared, self.count + other.count)


def contingency(forecast: Float32, observed: Float32, threshold: float) -> ContingencyTable:
    """Count the pixels of two arrays of one shape, in mm/h, by `threshold` (mm/h; equal counts as above)."""
    known = np.isfinite(forecast) & np.isfinite(observed)
    forecast_events, observed_events = (forecast >= threshold) & known, (observed >= threshold) & known
    hits = int(np.count_nonzero(forecast_events & observed_events))
    misses, false_alarms = int(np.count_nonzero(observed_events)) - hits, int(np.count_nonzero(forecast_events)) - hits
    return ContingencyTable(hits, misses, false_alarms, int(np.count_nonzero(known)) - hits - misses - false_alarms)


def error_sum(forecast: Float32, observed: Float32) -> ErrorSum:
    """Errors of two arrays of one shape, in mm/h."""
    difference = forecast - observed
    known = np.isfinite(difference)
    difference = np.where(known, difference, np.float32(0)).ravel()
    return ErrorSum(
        absolute=float(np.abs(difference).sum(dtype=np.float64)),
        squared=float(np.square(difference).sum(dtype=np.float64)),
        count=int(np.count_nonzero(known)),
    )


def csi(table: ContingencyTable) -> float:
    """Critical success index: hits / (hits + misses + false alarms), 0 to 1; NaN without any event."""
    return ratio(table.hits, table.hits + table.misses + table.false_alarms)


def pod(table: ContingencyTable) -> float:
    """Probability of detection: hits / observed, 0 to 1; NaN where nothing was observed."""
    return ratio(table.hits, table.hits + table.misses)


def far(table: ContingencyTable) -> float:
    """False alarm ratio: false alarms / forecast, 0 to 1; NaN where nothing was forecast."""
    return ratio(table.false_alarms, table.hits + table.false_alarms)


def frequency_bias(table: ContingencyTable) -> float:
    """Forecast area / observed area; 1 is unbiased; NaN where nothing was observed."""
    return ratio(table.hits + table.false_alarms, table.hits + table.misses)


def hss(table: ContingencyTable) -> float:
    """Heidke skill score: the share of right pixels among those that chance would get wrong, up to 1.

    NaN where chance is always right: all pixels, forecast and observed, are on one side of the threshold.
    """
    a, b, c, d = table.hits, table.false_alarms, table.misses, table.correct_negatives
    return ratio(2 * (a * d - b * c), (a + c) * (c + d) + (a + b) * (b + d))


def ets(table: ContingencyTable) -> float:
    """Equitable threat score: CSI without the hits by chance, -1/3 to 1.

    NaN without any event, and where chance hits all events.
    """
    forecast_events, observed_events = table.hits + table.false_alarms, table.hits + table.misses
    by_chance = ratio(forecast_events * observed_events, table.pixels)
    return ratio(table.hits - by_chance, forecast_events + observed_events - table.hits - by_chance)


def mae(errors: ErrorSum) -> float:
    """Mean absolute error in mm/h; NaN without any pixel."""
    return ratio(errors.absolute, errors.count)


def rmse(errors: ErrorSum) -> float:
    """Root mean square error in mm/h; NaN without any pixel."""
    return cast(float, ratio(errors.squared, errors.count) ** 0.5)


def mse(errors: ErrorSum) -> float:
    """Mean squared error in the unit of the errors, squared; NaN without any pixel."""
    return ratio(errors.squared, errors.count)


def read_many(score: Callable[[Sum], float], kind: Callable[..., Sum], sums: Float64) -> Float64:
    """A score (...) of many sums (..., fields of `kind`) at once."""
    return np.asarray(score(kind(*np.moveaxis(sums, -1, 0))))


@overload
def ratio(above: float, below: float) -> float: ...


@overload
def ratio(above: Float64, below: Float64) -> Float64: ...


def ratio(above: Any, below: Any) -> Any:
    """A quotient, or an array of quotients; NaN where undefined."""
    if isinstance(below, np.ndarray):
        return np.divide(above, below, out=np.full(below.shape, NAN), where=below != 0)
    return above / below if below else NAN
