from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from models.baselines import Persistence
from models.forecaster import EnsembleForecaster, Forecaster, ProbabilityForecaster, forecast_after
from radar.grid import Grid
from radar.scores.measure import Measure
from radar.sequence import Float32, FrameSequence, times_after
from training.evaluate.probabilities import ask, method_of
from training.evaluate.score_event import score_event

MEMBERS = (0.5, 1.0, 3.0)


@dataclass
class Members:
    """Three members, each as wet everywhere as the next is not."""

    name: str = "members"
    input_length: int = 1

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        return forecast_after(history, np.full((steps, *history.grid.shape), np.median(MEMBERS), np.float32))

    def ensemble(self, history: FrameSequence, steps: int) -> Float32:
        shape = (len(MEMBERS), steps, *history.grid.shape)
        return np.broadcast_to(np.array(MEMBERS, np.float32)[:, None, None, None], shape)


@dataclass
class Stated(Members):
    """Says 30 % whatever is asked."""

    name: str = "stated"

    def probabilities(self, history: FrameSequence, steps: int, thresholds: list[float]) -> Float32:
        return np.full((len(thresholds), steps, *history.grid.shape), 0.3, np.float32)


def raining(rate: float) -> FrameSequence:
    rain = np.full((4, 12, 14), rate, np.float32)
    return FrameSequence(rain, times_after(datetime(2026, 1, 1, tzinfo=UTC), 4, 5), Grid("flat", (12, 14), 1.0), 5)


@pytest.mark.parametrize(
    ("forecaster", "method"), [(Persistence(), "neighbourhood"), (Members(), "ensemble"), (Stated(), "model")]
)
def test_probabilities_are_the_best_that_a_forecaster_has(forecaster: Forecaster, method: str) -> None:
    assert method_of(forecaster) == method
    assert isinstance(forecaster, EnsembleForecaster) == (method != "neighbourhood")
    assert isinstance(forecaster, ProbabilityForecaster) == (method == "model")


def test_an_ensemble_says_the_share_of_its_members() -> None:
    forecast = ask(Members(), raining(2), 2, [1.0, 2.0])
    one, two = forecast.probabilities(1, [1.0, 2.0], 10, 1.0)
    assert one[0, 0] == pytest.approx(2 / 3)
    assert two[0, 0] == pytest.approx(1 / 3)


def test_hand_worked_scores_of_each_kind() -> None:
    forecasters: dict[str, Forecaster] = {"persistence": Persistence(), "members": Members(), "stated": Stated()}
    scored = score_event(forecasters, "flat", raining(2), 5, Measure((1.0, 5.0), (10.0,)), 1)
    rows = {(row.model, row.threshold): row for row in scored.rows()}
    assert rows["persistence", 1].scores["brier"] == 0
    assert rows["members", 1].scores["brier"] == pytest.approx((1 - 2 / 3) ** 2)
    assert rows["stated", 5].scores["brier"] == pytest.approx(0.3**2)
    assert rows["stated", 1].probability == "model"
    # mean |x - 2| = 3.5 / 3, mean |x - x'| over the nine pairs = 10 / 9
    assert rows["members", 1].scores["crps"] == pytest.approx(3.5 / 3 - 5 / 9)
    assert np.isnan(rows["persistence", 1].scores["crps"])  # it is its MAE
    assert scored.reliability["stated"][0][0].count.tolist() == [0, 0, 0, 3 * 12 * 14, 0, 0, 0, 0, 0, 0]
