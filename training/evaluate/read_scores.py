"""Every score of an evaluation, read from its sums: of one sample of the starts or of many at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from radar.scores.bootstrap import Interval, draw_starts, interval, resample
from radar.scores.fss import FractionSum, fss
from radar.scores.image_quality import psnr, ssim
from radar.scores.pixels import ErrorSum, Float64, categorical, mae, mse, ratio, read_many, rmse
from radar.scores.probability import MeanSum, brier, crps
from training.evaluate.sums import Sums
from training.evaluate.table import fss_name

Scores = Mapping[str, Float64]
"""Scores by name, (..., thresholds) each, those without a threshold repeated."""


def read_scores(sums: Sums, fss_km: tuple[float, ...]) -> Scores:
    """All scores, undefined ones NaN; `fss` is that of the first width, beside one for each width."""
    shape = sums.tables.shape[:-1]
    widths = read_many(fss, FractionSum, sums.fractions)
    plain = {
        "mae": read_many(mae, ErrorSum, sums.errors),
        "rmse": read_many(rmse, ErrorSum, sums.errors),
        "balanced_mae": read_many(mae, ErrorSum, sums.balanced),
        "balanced_mse": read_many(mse, ErrorSum, sums.balanced),
        "ssim": read_many(ssim, MeanSum, sums.similarity),
        "psnr": read_many(psnr, ErrorSum, sums.unit_errors),
        "small_scale_power": ratio(sums.small_scale[..., 0], sums.small_scale[..., 1]),
        "crps": read_many(crps, MeanSum, sums.crps),
    }
    return {
        **categorical(sums.tables),
        "fss": widths[..., 0],
        **{fss_name(km): widths[..., index] for index, km in enumerate(fss_km)},
        **{name: np.broadcast_to(values[..., None], shape) for name, values in plain.items()},
        "brier": read_many(brier, MeanSum, sums.brier),
    }


@dataclass(frozen=True, eq=False)
class Sampled:
    """Scores of one forecaster on one event, and the same of resampled starts.

    Parameters
    ----------
    scores : (leads, thresholds) each
        Of all starts.
    samples : (resamples, leads, thresholds) each
        From `radar.scores.bootstrap`; no resamples where there are too few starts.
    blocks : float
        Of consecutive starts that a resample is drawn of.
    """

    scores: Scores
    samples: Scores
    blocks: float

    def intervals(self) -> dict[str, Interval]:
        """95 % of each score, by lead and threshold."""
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


def sample(sums: Sums, fss_km: tuple[float, ...], block: int) -> Sampled:
    """Scores from sums whose first axis is the starts, resampled in blocks of consecutive ones."""
    draws = draw_starts(len(sums.tables), block)
    return Sampled(
        read_scores(sums.each(lambda array: array.sum(axis=0)), fss_km),
        read_scores(sums.each(lambda array: resample(array, draws)), fss_km),
        len(sums.tables) / block,
    )


def _bounded(values: Float64, samples: Float64, blocks: float) -> Interval:
    low, high = interval(samples, blocks)
    defined = np.isfinite(values)
    return Interval(np.where(defined, low, np.nan), np.where(defined, high, np.nan))


def _mean(values: Float64, defined: npt.NDArray[np.bool_]) -> Float64:
    """The mean over leads (..., leads, thresholds) where `defined` (leads, thresholds); NaN where it nowhere is."""
    total = np.where(defined, values, 0.0).sum(axis=-2)
    return ratio(total, np.broadcast_to(defined.sum(axis=-2, dtype=np.float64), total.shape))
