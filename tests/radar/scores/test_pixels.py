from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from radar.scores.pixels import (
    ContingencyTable,
    ErrorSum,
    contingency,
    csi,
    error_sum,
    ets,
    far,
    frequency_bias,
    hss,
    mae,
    pod,
    rmse,
)

FORECAST = np.array([[2.0, 0.0, 1.0, 0.5, np.nan, 3.0]], np.float32)
OBSERVED = np.array([[1.5, 1.0, 0.2, 0.0, 9.0, np.nan]], np.float32)

SCORES = (csi, pod, far, frequency_bias, hss, ets)


def test_hand_worked_table() -> None:
    # one hit, one miss, one false alarm, one correct negative; the two pixels with NaN do not count
    assert contingency(FORECAST, OBSERVED, 1.0) == ContingencyTable(1, 1, 1, 1)


@pytest.mark.parametrize(
    ("score", "value"),
    [
        (csi, 6 / 12),
        (pod, 6 / 8),
        (far, 4 / 10),
        (frequency_bias, 10 / 8),
        # by chance 10 * 8 / 20 = 4 hits and 12 * 10 / 20 = 6 correct negatives: 14 - 10 right of 20 - 10
        (hss, 0.4),
        (ets, (6 - 4) / (12 - 4)),
    ],
)
def test_hand_worked_scores(score: Callable[[ContingencyTable], float], value: float) -> None:
    table = ContingencyTable(hits=6, misses=2, false_alarms=4, correct_negatives=8)
    assert score(table) == pytest.approx(value)


def test_hand_worked_errors() -> None:
    # 2 - 1.5, 0 - 1, 1 - 0.2 and 0.5 - 0: absolute 2.8, squared 2.14, over 4 pixels
    errors = error_sum(FORECAST, OBSERVED)
    assert mae(errors) == pytest.approx(0.7)
    assert rmse(errors) == pytest.approx(math.sqrt(0.535))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("table", [ContingencyTable(), ContingencyTable(correct_negatives=10)])
def test_undefined_is_nan_not_zero(score: Callable[[ContingencyTable], float], table: ContingencyTable) -> None:
    assert math.isnan(score(table))


@pytest.mark.parametrize("score", [hss, ets])
def test_skill_is_undefined_where_chance_cannot_fail(score: Callable[[ContingencyTable], float]) -> None:
    assert math.isnan(score(ContingencyTable(hits=10)))


def test_no_skill_is_zero_and_the_worst_is_known() -> None:
    by_chance = ContingencyTable(hits=2, misses=4, false_alarms=4, correct_negatives=8)
    assert hss(by_chance) == ets(by_chance) == 0
    assert ets(ContingencyTable(misses=5, false_alarms=5)) == pytest.approx(-1 / 3)
    assert hss(ContingencyTable(misses=5, false_alarms=5)) == -1


@pytest.mark.parametrize("score", [mae, rmse])
def test_no_pixels_have_no_error(score: Callable[[ErrorSum], float]) -> None:
    assert math.isnan(score(ErrorSum()))
    assert math.isnan(score(error_sum(np.full((2, 2), np.nan, np.float32), np.ones((2, 2), np.float32))))


def test_adding_sums_is_scoring_everything_at_once() -> None:
    draw = np.random.default_rng(0)
    said, seen = draw.gamma(0.5, 2, (2, 40, 40)).astype(np.float32)
    parts = [(said[rows], seen[rows]) for rows in (slice(0, 13), slice(13, 40))]
    tables = [contingency(*part, 1.0) for part in parts]
    errors = [error_sum(*part) for part in parts]
    assert tables[0] + tables[1] == contingency(said, seen, 1.0)
    assert mae(errors[0] + errors[1]) == pytest.approx(mae(error_sum(said, seen)))
    assert rmse(errors[0] + errors[1]) == pytest.approx(rmse(error_sum(said, seen)))
