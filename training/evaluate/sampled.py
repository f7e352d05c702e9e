"""Every score of an evaluation, from all starts and from resampled ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radar.scores.bootstrap import Interval, draw_starts, interval, resample
from radar.scores.measure import Measure
from radar.scores.pixels import Float64, ratio

Scores = Mapping[str, Float64]
"""Scores by name, (..., thresholds) each, from `Measure.read_all`."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """Scores of one forecaster on one event, from all starts and from resampled ones.

    Parameters
    ----------
    scores : (leads, thresholds) each
        Scores of all starts.
    samples : (resamples, leads, thresholds) each
        Scores of resamples from `radar.scores.bootstrap`; there are none with too few starts.
    blocks : float
        The number of blocks of consecutive starts.
    """

    scores: Scores
    samples: Scores
    blocks: float

    def intervals(self) -> dict[str, Interval]:
        """The 95 % interval of each score, by lead and threshold."""
        return {name: _bounded(values, self.samples[name], self.blocks) for name, values in self.scores.items()}

    def over_leads(self) -> Sampled:
        """Means over the lead times at which a score is defined, (thresholds,) and (resamples, thresholds) each."""
        defined = {name: np.isfinite(values) for name, values in self.scores.items()}
        return Sampled(
            {name: _mean(values, defined[name]) for name, values in self.scores.items()},
            {name: _mean(values, defined[name]) for name, values in self.samples.items()},
            self.blocks,
        )

    def minus(self, other: Sampled) -> Sampled:
        """The differences from another forecaster on the same event, resample by resample."""
        return Sampled(
            {name: values - other.scores[name] for name, values in self.scores.items()},
            {name: values - other.samples[name] for name, values in self.samples.items()},
            self.blocks,
        )


def sample(sums: Float64, measure: Measure, block: int) -> Sampled:
    """Scores from sums (starts, leads, sums), resampled in blocks of consecutive starts."""
    draws = draw_starts(len(sums), block)
    return Sampled(
        measure.read_all(sums.sum(axis=0)),
        measure.read_all(resample(sums, draws)),
        len(sums) / block,
    )


def _bounded(values: Float64, samples: Float64, blocks: float) -> Interval:
    low, high = interval(samples, blocks)
    defined = np.isfinite(values)
    return Interval(np.where(defined, low, np.nan), np.where(defined, high, np.nan))


def _mean(values: Float64, defined: npt.NDArray[np.bool_]) -> Float64:
    """The mean over leads (..., leads, thresholds) where `defined` (leads, thresholds); NaN if no lead is defined."""
    total = np.where(defined, values, 0.0).sum(axis=-2)
    return ratio(total, np.broadcast_to(defined.sum(axis=-2, dtype=np.float64), total.shape))
