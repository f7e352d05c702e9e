"""All forecasts are compared on the same pixels."""

from __future__ import annotations

import numpy as np

from radar.scores.sums import read_score
from service.verification.collect import Forecasts, compare

NAN = np.nan


def frame(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


OBSERVED = frame(0, 2, 4, NAN, 1)


def test_the_same_pixels_for_everybody() -> None:
    judged = {"still/1": frame(1, 2, 2, 9, NAN), "persistence": frame(0, NAN, 0, 0, 0)}
    found = compare(Forecasts("still/1", judged, {}, {}), OBSERVED, 1.0)
    # Known to all three are the first and the third pixel.
    assert {name: sums.pixels for name, sums in found.items()} == {"still/1": 2, "persistence": 2}
    assert read_score("mae", found["still/1"].values) == (1 + 2) / 2
    assert read_score("mae", found["persistence"].values) == (0 + 4) / 2
    assert found["still/1"].counts(1.0) == (1, 0, 1, 0)
    assert found["persistence"].counts(1.0) == (0, 1, 0, 1)


def test_a_shadow_takes_no_pixels_away() -> None:
    judged = {"still/1": frame(1, 2, 2, NAN, 1)}
    shadows = {"still/2": frame(0, 2, 4, NAN, 1), "still/3": frame(0, NAN, 4, 1, 1)}
    found = compare(Forecasts("still/1", judged, shadows, {}), OBSERVED, 1.0)
    assert sorted(found) == ["still/1", "still/2"]
    assert found["still/1"].pixels == 4
    assert read_score("mae", found["still/2"].values) == 0


def test_only_what_was_served_has_probabilities() -> None:
    judged = {"still/1": frame(1, 2, 2, NAN, 1), "persistence": frame(0, 0, NAN, 0, 0)}
    said = dict.fromkeys((0.1, 1.0, 5.0, 10.0), frame(0.5, 1, 0, 0, 0))
    found = compare(Forecasts("still/1", judged, {}, said), OBSERVED, 1.0)
    assert read_score("brier", found["still/1"].values, 1.0) == (0.25 + 0 + 1) / 3
    assert np.isnan(read_score("brier", found["persistence"].values, 1.0))


def test_without_a_common_pixel_there_is_nothing() -> None:
    judged = {"still/1": frame(1, NAN, NAN, NAN, NAN), "persistence": frame(NAN, 1, 1, 1, 1)}
    assert compare(Forecasts("still/1", judged, {}, {}), OBSERVED, 1.0) == {}
