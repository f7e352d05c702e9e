from __future__ import annotations

import numpy as np
import pytest

from training.fit.sampling import draw_reads, truth_odds


def test_scheduled_sampling_falls_from_one_to_zero() -> None:
    assert [truth_odds("scheduled", progress) for progress in (0.0, 0.25, 1.0)] == [(1, 1), (1, 0.75), (1, 0)]


@pytest.mark.parametrize(
    ("progress", "before", "after"),
    [(0.0, 0.5, 0.5), (0.3, 0.5, 0.5), (0.5, 1 - 0.5 * np.exp(-2.5), 0.25), (0.7, 1.0, 0.0), (1.0, 1.0, 0.0)],
)
def test_reverse_sampling_in_thirds(progress: float, before: float, after: float) -> None:
    assert truth_odds("reverse", progress) == pytest.approx((before, after))


def test_without_sampling_the_network_reads_as_in_a_forecast() -> None:
    np.testing.assert_array_equal(
        draw_reads("none", 0.5, 3, 3, np.random.default_rng(1)), [True, True, True, False, False]
    )


def test_the_first_frame_is_always_the_true_one() -> None:
    draw = np.random.default_rng(1)
    reads = np.stack([draw_reads("reverse", 0.0, 4, 4, draw) for _ in range(400)])
    assert reads[:, 0].all()
    np.testing.assert_allclose(reads[:, 1:].mean(axis=0), 0.5, atol=0.1)
