"""The sums of a measure are those of its parts, wherever they stand."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from radar.scores.comparison import Comparison, Field
from radar.scores.fss import fraction_sum
from radar.scores.measure import Measure
from radar.scores.pixels import contingency, error_sum
from radar.scores.table import COUNTS, ERRORS, FRACTIONS


def test_every_part_is_found_again_in_many_frames() -> None:
    said, seen = np.random.default_rng(2).gamma(0.3, 4, (2, 5, 30, 40)).astype(np.float32)
    said[:, :3], seen[:, :, 7] = np.nan, np.nan
    measure = Measure((0.5, 2.0, 7.0), (6.0, 2.0))
    pairs = [Comparison(Field(one), Field(other), 2.0) for one, other in zip(said, seen, strict=True)]
    sums = np.stack([measure.sums(pair) for pair in pairs])
    assert sums.shape == (5, measure.size)
    for frame, pair in enumerate(zip(said, seen, strict=True)):
        np.testing.assert_array_equal(measure.part(ERRORS, sums)[frame], astuple(error_sum(*pair)))
        for level, threshold in enumerate(measure.thresholds):
            table = astuple(contingency(*pair, threshold))
            np.testing.assert_array_equal(measure.part(COUNTS, sums)[frame, level], table)
            near = [astuple(fraction_sum(*pair, threshold, width)) for width in (3, 1)]
            np.testing.assert_array_equal(measure.part(FRACTIONS, sums)[frame, level], near)
