"""Probabilities of rain from any forecaster: its own, the share of its members, or those of neighbourhoods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.forecaster import EnsembleForecaster, Forecaster, ProbabilityForecaster
from radar.extrapolation.neighbourhood import exceedance_probability, half_width_pixels
from radar.sequence import Float32, FrameSequence
from training.evaluate.statistics import with_statistics

Method = Literal["model", "ensemble", "neighbourhood"]


def method_of(forecaster: Forecaster) -> Method:
    """The method of a forecaster's probabilities."""
    if isinstance(forecaster, ProbabilityForecaster):
        return "model"
    return "ensemble" if isinstance(forecaster, EnsembleForecaster) else "neighbourhood"


@dataclass(frozen=True, eq=False)
class Forecast:
    """All output of a forecaster for one start.

    Parameters
    ----------
    rain_rate : float32 (steps, H, W)
        mm/h.
    members : float32 (M, steps, H, W) or None
        mm/h, members of an ensemble.
    stated : float32 (thresholds, steps, H, W) or None
        The forecaster's own probabilities.
    """

    rain_rate: Float32
    members: Float32 | None
    stated: Float32 | None

    def ensemble(self, lead: int) -> Float32 | None:
        """The members (M, H, W) of a lead, counted from 0; None without members."""
        return None if self.members is None else self.members[:, lead]

    def probabilities(self, lead: int, thresholds: Sequence[float], minutes: int, pixel_km: float) -> list[Float32]:
        """Probabilities (H, W) of rain at or above each threshold at a lead, counted from 0, of `minutes` ahead."""
        if self.stated is not None:
            return list(self.stated[:, lead])
        if self.members is not None:
            return [_share(self.members[:, lead], threshold) for threshold in thresholds]
        half_width = half_width_pixels(minutes, pixel_km)
        return [exceedance_probability([self.rain_rate[lead]], threshold, half_width) for threshold in thresholds]


def ask(forecaster: Forecaster, history: FrameSequence, steps: int, thresholds: Sequence[float]) -> Forecast:
    """The full output of a forecaster."""
    (forecaster,) = with_statistics([forecaster], ())  # rain and probabilities of a distribution from one pass
    return Forecast(
        rain_rate=forecaster.forecast(history, steps).rain_rate,
        members=forecaster.ensemble(history, steps) if isinstance(forecaster, EnsembleForecaster) else None,
        stated=(
            forecaster.probabilities(history, steps, thresholds)
            if isinstance(forecaster, ProbabilityForecaster)
            else None
        ),
    )


def _share(members: Float32, threshold: float) -> Float32:
    """The share of the members (M, H, W) that reach a threshold; NaN where any member is NaN."""
    known = np.isfinite(members).all(axis=0)
    return np.where(known, (members >= threshold).mean(axis=0, dtype=np.float32), np.float32(np.nan))
