from __future__ import annotations

import math

import numpy as np
import pytest

from radar.verification import (
    ContingencyTable,
    ErrorSum,
    absolute_error,
    contingency,
    csi,
    far,
    frequency_bias,
    mae,
    pod,
)

FORECAST = np.array([[2.0, 0.0, 1.0, 0.5, np.nan, 3.0]], np.float32)
OBSERVED = np.array([[1.5, 1.0, 0.2, 0.0, 9.0, np.nan]], np.float32)


def test_hand_worked_table() -> None:
    # one hit, one miss, one false alarm, one correct negative; the two pixels with NaN do not count
    assert contingency(FORECAST, OBSERVED, 1.0) == ContingencyTable(1, 1, 1, 1)


def test_hand_worked_scores() -> None:
    table = ContingencyTable(hits=6, misses=2, false_alarms=4, correct_negatives=8)
    assert csi(table) == pytest.approx(0.5)
    assert pod(table) == pytest.approx(0.75)
    assert far(table) == pytest.approx(0.4)
    assert frequency_bias(table) == pytest.approx(1.25)


def test_hand_worked_mae() -> None:
    # |2 - 1.5| + |0 - 1| + |1 - 0.2| + |0.5 - 0| = 2.8 over 4 pixels
    assert mae(absolute_error(FORECAST, OBSERVED)) == pytest.approx(0.7)


@pytest.mark.parametrize("score", [csi, pod, far, frequency_bias])
def test_undefined_is_nan_not_zero(score: object) -> None:
    assert callable(score)
    assert math.isnan(score(ContingencyTable(correct_negatives=10)))


def test_no_pixels_have_no_mae() -> None:
    assert math.isnan(mae(ErrorSum()))


def test_adding_sums_is_scoring_everything_at_once() -> None:
    draw = np.random.default_rng(0)
    said, seen = draw.gamma(0.5, 2, (2, 40, 40)).astype(np.float32)
    parts = [(said[rows], seen[rows]) for rows in (slice(0, 13), slice(13, 40))]
    tables = [contingency(*part, 1.0) for part in parts]
    errors = [absolute_error(*part) for part in parts]
    assert tables[0] + tables[1] == contingency(said, seen, 1.0)
    assert mae(errors[0] + errors[1]) == pytest.approx(mae(absolute_error(said, seen)))
