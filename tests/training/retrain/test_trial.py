"""What the trial of a challenger measures besides scores."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from models.baselines import Extrapolation, Persistence
from models.forecaster import Forecaster
from radar.sequence import FrameSequence
from tests.training.small_world import NOON, storm
from training.evaluate.score_event import score_event
from training.retrain import trial
from training.retrain.data_set import DataSet
from training.retrain.gate import CHALLENGER, CHAMPION, GateConfig


class Clock:
    """Goes on only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Timed:
    """A forecaster whose forecasts take these seconds, one after the other, the last one again and again."""

    input_length = 3

    def __init__(self, clock: Clock, *seconds: float) -> None:
        self.name, self.calls, self._clock, self._seconds = "timed", 0, clock, seconds

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        self._clock.now += self._seconds[min(self.calls, len(self._seconds) - 1)]
        self.calls += 1
        return history


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(trial, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    return clock


def seconds(challenger: Timed, champion: Timed) -> dict[str, float]:
    data = SimpleNamespace(test_blocks=[None], read=lambda _: storm(NOON, 6))
    return trial.seconds_of_both(challenger, champion, cast(DataSet, data), 2, ratio=1.25)


def test_the_fastest_of_five_counts(clock: Clock) -> None:
    challenger, champion = Timed(clock, 9.0, 1.1, 3.0), Timed(clock, 1.0, 2.0)
    assert seconds(challenger, champion) == {CHALLENGER: pytest.approx(1.1), CHAMPION: pytest.approx(1.0)}
    assert challenger.calls == champion.calls == 5


def test_a_busy_machine_is_given_more_turns_and_a_slow_model_is_found_slow(clock: Clock) -> None:
    busy, champion = Timed(clock, *[2.0] * 9, 1.0), Timed(clock, 1.0)
    assert seconds(busy, champion)[CHALLENGER] == pytest.approx(1.0)
    assert busy.calls == 10
    slow = Timed(clock, 2.0)
    assert seconds(slow, Timed(clock, 1.0))[CHALLENGER] == pytest.approx(2.0)
    assert slow.calls == 20


def test_two_series_of_the_same_hours_prove_no_more_than_one() -> None:
    forecasters: dict[str, Forecaster] = {CHALLENGER: Extrapolation(), CHAMPION: Persistence()}
    one = score_event(forecasters, "RY on small", storm(NOON, 24), 20, trial.measure_of(GateConfig()), 1)
    alone, block = trial.in_order_of_time([one])
    both, spanned = trial.in_order_of_time([one, replace(one, event="RV on small")])
    assert block == one.block == 4
    assert spanned == 2 * block
    np.testing.assert_array_equal(both[CHAMPION][0::2], alone[CHAMPION])
    np.testing.assert_array_equal(both[CHAMPION][1::2], alone[CHAMPION])
