"""Forms of a distribution as forecasters of their own, from one pass of the network for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.exceedance.forecaster import ExceedanceForecaster
from models.exceedance.odds import STATISTICS, Odds, Statistic, amounts, probabilities
from models.forecaster import Forecaster, forecast_after
from radar.sequence import Float32, FrameSequence


@dataclass
class Distribution:
    """A forecaster of probabilities that keeps its last forecast."""

    forecaster: ExceedanceForecaster
    _history: FrameSequence | None = None
    _steps: int = 0
    _made: tuple[FrameSequence, list[Odds]] | None = field(default=None, repr=False)

    def of(self, history: FrameSequence, steps: int) -> tuple[FrameSequence, list[Odds]]:
        """The picture, and for each lead the odds (K, H, W)."""
        if self._made is None or self._history is not history or self._steps != steps:
            self._made = self.forecaster.forecast_with_odds(history, steps, lambda odds: odds)
            self._history, self._steps = history, steps
        return self._made


@dataclass(frozen=True)
class OfDistribution:
    """One form of a distribution; satisfies `models.forecaster.ProbabilityForecaster`."""

    distribution: Distribution
    statistic: Statistic

    @property
    def name(self) -> str:
        """The model's name, with the form if it is not the picture."""
        model = self.distribution.forecaster.name
        return model if self.statistic == "matched" else f"{model} {self.statistic}"

    @property
    def card(self) -> object:
        """The card of the model."""
        return self.distribution.forecaster.card

    @property
    def input_length(self) -> int:
        """The number of history frames that the network reads."""
        return self.distribution.forecaster.input_length

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        """The form's rain in mm/h."""
        picture, odds = self.distribution.of(history, steps)
        if self.statistic == "matched":
            return picture
        thresholds = self.distribution.forecaster.thresholds
        return forecast_after(history, np.stack([amounts(each, thresholds, self.statistic) for each in odds]))

    def probabilities(self, history: FrameSequence, steps: int, thresholds: Sequence[float]) -> Float32:
        """See `models.forecaster.ProbabilityForecaster`."""
        _, odds = self.distribution.of(history, steps)
        learnt = self.distribution.forecaster.thresholds
        return np.stack([np.stack([probabilities(each, learnt, rate) for each in odds]) for rate in thresholds])


def with_statistics(forecasters: Iterable[Forecaster], names: Sequence[Statistic]) -> list[Forecaster]:
    """The forecasters, each with a distribution followed by other forms of it."""
    found: list[Forecaster] = []
    for forecaster in forecasters:
        if isinstance(forecaster, ExceedanceForecaster):
            distribution = Distribution(forecaster)
            forms = dict.fromkeys(("matched", *names))
            found += [OfDistribution(distribution, name) for name in STATISTICS if name in forms]
        else:
            found.append(forecaster)
    return found
