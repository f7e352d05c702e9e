from __future__ import annotations

import numpy as np
import pytest

from radar.scores.reliability import mean_probability, no_reliability, observed_frequency, reliability_sum

NAN = np.float32(np.nan)


def test_hand_worked_bins() -> None:
    said = np.array([0.0, 0.05, 0.25, 0.25, 1.0, 0.5, NAN], np.float32)
    rain = np.array([0.0, 2.0, 1.0, 0.9, 5.0, NAN, 5.0], np.float32)
    sums = reliability_sum(said, rain, 1.0)
    assert sums.count.tolist() == [2, 0, 2, 0, 0, 0, 0, 0, 0, 1]
    assert sums.events.tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert mean_probability(sums)[[0, 2, 9]].tolist() == pytest.approx([0.025, 0.25, 1])
    assert observed_frequency(sums)[[0, 2, 9]].tolist() == [0.5, 0.5, 1]
    assert np.isnan(observed_frequency(sums)[1])


def test_rain_that_comes_as_often_as_said_is_reliable() -> None:
    draw = np.random.default_rng(0)
    said = draw.uniform(size=(200, 200)).astype(np.float32)
    rain = (draw.uniform(size=said.shape) < said).astype(np.float32)
    sums = reliability_sum(said, rain, 1.0)
    assert observed_frequency(sums) == pytest.approx(mean_probability(sums), abs=0.03)


def test_adding_sums_is_sorting_everything_at_once() -> None:
    draw = np.random.default_rng(0)
    said, rain = draw.uniform(size=(2, 50)).astype(np.float32)
    parts = reliability_sum(said[:20], rain[:20], 0.5) + reliability_sum(said[20:], rain[20:], 0.5)
    whole = reliability_sum(said, rain, 0.5) + no_reliability()
    assert parts.events.tolist() == whole.events.tolist()
    assert parts.probability == pytest.approx(whole.probability)
