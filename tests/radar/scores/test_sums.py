"""All the sums of a frame, on numbers small enough to work out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radar.errors import UnreadableFile
from radar.scores.bootstrap import block_length, estimate_difference
from radar.scores.sums import (
    LIVE,
    THRESHOLDS,
    ScoreSums,
    from_json,
    read_score,
    sums_of,
    to_json,
)

NAN = float("nan")
FORECAST = np.array([[0.0, 2.0, 6.0], [1.0, 0.5, NAN]], np.float32)
OBSERVED = np.array([[0.0, 1.0, 0.0], [3.0, NAN, 9.0]], np.float32)


def test_hand_worked_counts_and_errors() -> None:
    # Known pixels: (0, 0), (2, 1), (6, 0), (1, 3).
    sums = sums_of(FORECAST, OBSERVED, 1.0)
    assert (sums.frames, sums.pixels) == (1, 4)
    assert sums.counts(0.1) == (2, 0, 1, 1)  # hits, misses, false alarms, correct negatives
    assert sums.counts(1.0) == (2, 0, 1, 1)
    assert sums.counts(5.0) == (0, 0, 1, 3)
    assert sums.counts(10.0) == (0, 0, 0, 4)
    assert read_score("mae", sums.values) == (0 + 1 + 6 + 2) / 4
    assert read_score("csi", sums.values, 1.0) == 2 / 3
    scores = [float(read_score(name, sums.values, 1.0)) for name in ("csi", "pod", "far", "bias")]
    assert scores == [2 / 3, 1, 1 / 3, 3 / 2]


def test_what_is_undefined_is_nan() -> None:
    values = sums_of(FORECAST, OBSERVED, 1.0).values
    assert read_score("csi", values, 5.0) == 0
    assert np.isnan(read_score("csi", values, 10.0))
    assert np.isnan(read_score("pod", values, 5.0))
    assert np.isnan(read_score("fss", values, 10.0, 5.0))
    assert np.isnan(read_score("brier", values, 1.0))
    assert np.isnan(read_score("mae", ScoreSums().values))


def test_hand_worked_fss() -> None:
    # One pixel forecast, its neighbour observed; with squares of 5 pixels every pixel of this row sees both.
    forecast = np.array([[0.0, 2.0, 0.0]], np.float32)
    observed = np.array([[2.0, 0.0, 0.0]], np.float32)
    near, single = (sums_of(forecast, observed, pixel_size_km).values for pixel_size_km in (1.0, 10.0))
    assert read_score("fss", near, 1.0, 5.0) == 1
    assert read_score("fss", single, 1.0, 5.0) == 0  # pixels of 10 km: no neighbourhood


def test_hand_worked_brier() -> None:
    said = np.array([[0.0, 0.5, 0.25], [1.0, 0.5, 0.5]], np.float32)
    sums = sums_of(FORECAST, OBSERVED, 1.0, dict.fromkeys(THRESHOLDS, said))
    # The observation is known at five pixels; at 1 mm/h it is reached at (0, 1), (1, 0) and (1, 2).
    assert read_score("brier", sums.values, 1.0) == (0 + 0.25 + 0.0625 + 0 + 0.25) / 5


def test_adding_is_scoring_together() -> None:
    draw = np.random.default_rng(3)
    forecast, observed = draw.gamma(0.3, 4, (2, 2, 30, 30)).astype(np.float32)
    both = sums_of(forecast[0], observed[0], 1.0) + sums_of(forecast[1], observed[1], 1.0)
    assert both.frames == 2
    together = np.vstack(forecast), np.vstack(observed)
    whole = sums_of(*together, 1.0)
    assert [both.counts(t) for t in THRESHOLDS] == [whole.counts(t) for t in THRESHOLDS]
    np.testing.assert_allclose(read_score("mae", both.values), read_score("mae", whole.values), rtol=1e-12)


def test_json_holds_everything() -> None:
    said = dict.fromkeys(THRESHOLDS, np.full((2, 3), 0.3, np.float32))
    for sums in (sums_of(FORECAST, OBSERVED, 1.0), sums_of(FORECAST, OBSERVED, 1.0, said)):
        assert len(sums.values) == LIVE.size
        again = from_json(json.loads(json.dumps(to_json(sums))))
        np.testing.assert_array_equal(again.values, sums.values)


def test_json_is_as_in_the_ledgers_that_there_are() -> None:
    # Pixels of 25 km, so that each is a neighbourhood.
    assert to_json(sums_of(FORECAST, OBSERVED, 25.0)) == {
        "frames": 1,
        "counts": [[2, 0, 1, 1], [2, 0, 1, 1], [0, 0, 1, 3], [0, 0, 0, 4]],
        "errors": [9.0, 41.0, 4],
        "fss": [[[1.0, 5.0]] * 2, [[1.0, 5.0]] * 2, [[1.0, 1.0]] * 2, [[0.0, 0.0]] * 2],
    }


@pytest.mark.parametrize("change", [{"counts": [[1, 2]]}, {"errors": None}, {"fss": "none"}, {"brier": [1.0]}])
def test_other_json_is_refused(change: dict[str, object]) -> None:
    content = to_json(sums_of(FORECAST, OBSERVED, 1.0)) | change
    with pytest.raises(UnreadableFile, match="thresholds"):
        from_json(content)


def test_readers_take_many_sums_for_intervals() -> None:
    draw = np.random.default_rng(4)
    observed = draw.gamma(0.3, 4, (40, 20, 20)).astype(np.float32)
    good = np.stack([sums_of(frame, frame, 1.0).values for frame in observed])
    bad = np.stack([sums_of(np.roll(frame, 3), frame, 1.0).values for frame in observed])
    found = estimate_difference(good, bad, lambda sums: read_score("csi", sums, 1.0), block_length(6, 1))
    assert found.low > 0
    assert read_score("mae", good).shape == (40,)
