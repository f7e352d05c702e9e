"""Rain in 16 bits a pixel."""

from __future__ import annotations

import numpy as np

from radar.counts import LARGEST_COUNT, MISSING, SCALE, to_counts, to_rates


def test_nan_stays_nan_and_dry_stays_dry_and_rain_is_within_half_a_count() -> None:
    rain = np.array([[[np.nan, 0.0, 0.005, 0.12, 3.1]]], np.float32)
    counts, saturated = to_counts(rain)
    assert counts.tolist() == [[[MISSING, 0, 0, 10, 258]]]
    assert saturated.tolist() == [0]
    np.testing.assert_allclose(to_rates(counts), rain, atol=SCALE / 2)


def test_what_is_above_the_range_is_kept_as_its_end_and_counted_by_frame() -> None:
    rain = np.array([[[900.0, 1.0]], [[786.4, np.nan]]], np.float32)
    counts, saturated = to_counts(rain)
    assert counts[0, 0, 0] == LARGEST_COUNT
    assert saturated.tolist() == [1, 0]
    assert np.isnan(to_rates(counts)[1, 0, 1])
