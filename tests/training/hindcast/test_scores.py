"""What a hindcast adds up of a start."""

from __future__ import annotations

import numpy as np
import pytest

from training.hindcast.scores import read_scores, score_rows, score_tables, start_sums, sum_names
from training.hindcast.task import kept_as

_NAN = np.float32(np.nan)
_SAID = np.array([[[2.4, 0.0, 1.2, _NAN]], [[1.2, 1.2, 0.0, 0.0]]], np.float32)
_SEEN = np.array([[1.2, 1.2, 0.0, 1.2]], np.float32)


def test_a_start_by_hand() -> None:
    counts, saturated = kept_as(_SAID)
    sums = start_sums([counts], [saturated], [_SEEN, None], (1.0, 2.0), 10.0)
    assert sums.shape == (1, 2, len(sum_names((1.0, 2.0))))
    named = dict(zip(sum_names((1.0, 2.0)), sums[0, 0].tolist(), strict=True))
    assert (named["hits_1"], named["misses_1"], named["false_alarms_1"], named["correct_negatives_1"]) == (1, 1, 1, 0)
    assert (named["hits_2"], named["misses_2"], named["false_alarms_2"], named["correct_negatives_2"]) == (0, 0, 1, 2)
    # One pixel is a neighbourhood.
    assert (named["fss_difference_1"], named["fss_reference_1"]) == pytest.approx((2, 4))
    assert (named["fss_difference_2"], named["fss_reference_2"]) == pytest.approx((1, 1))
    assert (named["frames"], named["pixels"], named["saturated_pixels"]) == (1, 3, 0)
    assert np.isclose(named["absolute_error"], 3.6)
    assert np.isclose(named["squared_error"], 3 * 1.2**2)
    assert not sums[0, 1].any(), "a lead that nobody observed adds nothing"
    scores = read_scores(sums, (1.0, 2.0))
    assert np.isclose(scores["csi"][0, 0, 0], 1 / 3)
    assert np.isclose(scores["mae"][0, 0, 0], 1.2)
    assert np.isnan(scores["csi"][0, 1, 0])


def test_only_pixels_count_that_every_forecaster_knows() -> None:
    partial, full = kept_as(_SAID), kept_as(np.zeros_like(_SAID))
    sums = start_sums([partial[0], full[0]], [partial[1], full[1]], [_SEEN, _SEEN], (1.0,), 1.0)
    pixels = sum_names((1.0,)).index("pixels")
    assert sums[:, :, pixels].tolist() == [[3, 4], [3, 4]]


def test_undefined_scores_are_none_and_a_dash() -> None:
    counts, saturated = kept_as(np.zeros((1, 1, 4), np.float32))
    sums = start_sums([counts], [saturated], [np.zeros((1, 4), np.float32)], (1.0,), 1.0)
    rows = score_rows(sums, ["dry"], [5], (1.0,))
    assert (rows[0]["csi"], rows[0]["mae"], rows[0]["frames"]) == (None, 0.0, 1)
    assert "| 5 | 1 | – | – | – | 0.000 |" in score_tables(rows)
