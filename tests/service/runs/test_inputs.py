"""What a forecast starts from when frames are missing, and what is said about it."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from models.baselines import Extrapolation, Persistence, SProg
from radar.extrapolation.motion import halfway
from radar.grid import Grid
from radar.sequence import FrameSequence, times_after
from radar.synthetic import storm_sequence
from service.history.codec import StoredFrame, decode_one, encode
from service.runs.inputs import Inputs, collect_inputs, forecaster_for, together
from tests.service.runs_made import END

GRID = Grid("storm", (64, 80), 1.0)


@pytest.fixture(scope="module")
def storm() -> FrameSequence:
    """An hour that ends at END."""
    return storm_sequence(GRID, 13, seed=4, end_time=END, timestep_minutes=5, product="RY")


def gather(storm: FrameSequence, *missing: int, of: int = 6, wanted: int = 5) -> Inputs:
    """Inputs from the newest frames without those so many steps before the newest."""
    stored = encode(storm.last(of))
    kept = [frame for steps, frame in zip(range(of - 1, -1, -1), stored, strict=True) if steps not in missing]
    return collect_inputs(kept, wanted, "still")


def ago(steps: int) -> datetime:
    return END - timedelta(minutes=5 * steps)


def stored(storm: FrameSequence, steps: int) -> np.ndarray:
    frame: StoredFrame = encode(storm)[-1 - steps]
    return decode_one(frame)


def test_a_whole_history_needs_no_words(storm: FrameSequence) -> None:
    inputs = gather(storm)
    assert (inputs.method, inputs.degraded) == ("model", None)
    assert inputs.observed == inputs.frames.valid_times == times_after(ago(5), 5, 5)
    np.testing.assert_array_equal(inputs.frames.rain_rate[0], stored(storm, 4))


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_one_missing_frame_is_filled_along_the_motion_and_named(storm: FrameSequence, steps: int) -> None:
    inputs = gather(storm, steps)
    assert inputs.method == "model"
    assert inputs.frames.valid_times == times_after(ago(5), 5, 5)
    assert ago(steps) not in inputs.observed
    assert len(inputs.observed) == 4
    assert inputs.degraded is not None
    assert f"{ago(steps):%Y-%m-%dT%H:%M:%SZ} is missing and was filled" in inputs.degraded
    expected = halfway(stored(storm, steps + 1), stored(storm, steps - 1))
    np.testing.assert_array_equal(inputs.frames.rain_rate[4 - steps], expected)


def test_a_missing_first_frame_without_one_before_it_is_not_guessed(storm: FrameSequence) -> None:
    inputs = gather(storm, 4, of=5)
    assert inputs.method == "sprog-cdf"
    assert inputs.degraded == "4 of 5 frames: sprog-cdf instead of model still"
    assert inputs.observed == times_after(ago(4), 4, 5)


def test_of_two_missing_frames_the_newer_is_filled_and_the_rest_is_enough_for_sprog(storm: FrameSequence) -> None:
    inputs = gather(storm, 1, 3)
    assert inputs.method == "sprog-cdf"
    assert inputs.frames.valid_times == times_after(ago(3), 3, 5)
    assert inputs.observed == (ago(2), ago(0))
    assert inputs.degraded is not None
    assert "was filled" in inputs.degraded
    assert "2 of 5 frames: sprog-cdf" in inputs.degraded


@pytest.mark.parametrize(("missing", "kept", "method"), [((2, 3), 2, "extrapolation"), ((3, 4, 5), 3, "sprog-cdf")])
def test_a_longer_gap_is_not_filled(storm: FrameSequence, missing: tuple[int, ...], kept: int, method: str) -> None:
    inputs = gather(storm, *missing)
    assert inputs.method == method
    assert inputs.observed == times_after(ago(kept), kept, 5)


@pytest.mark.parametrize("missing", [(1, 2), (1, 2, 3, 4, 5)])
def test_a_single_frame_persists(storm: FrameSequence, missing: tuple[int, ...]) -> None:
    inputs = gather(storm, *missing)
    assert inputs.method == "persistence"
    assert inputs.degraded == "1 of 5 frames: persistence instead of model still"
    assert inputs.observed == (END,)


def test_what_stands_in_is_what_is_named(storm: FrameSequence) -> None:
    model = Persistence("the-model")
    assert forecaster_for("model", 5, model) is model
    assert forecaster_for("extrapolation", 3, model) == Extrapolation(input_length=3)
    assert forecaster_for("sprog-cdf", 4, model) == SProg("sprog-cdf", "cdf", input_length=4)
    assert forecaster_for("persistence", 1, model) == Persistence()
    for missing in ((), (1, 3), (1, 2)):
        inputs = gather(storm, *missing)
        forecast = forecaster_for(inputs.method, len(inputs.frames), Extrapolation()).forecast(inputs.frames, 2)
        assert forecast.reference_time == END


def test_reasons_are_put_together() -> None:
    assert together(None, None) is None
    assert together("a", None, "b") == "a; b"
