"""The one list of baselines: an entry is all that a new one needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from models.baselines import (
    BASELINES,
    Extrapolation,
    beside_every_model,
    from_frames,
    is_baseline,
    reference_of,
    stand_in,
)
from models.forecaster import forecast_after
from radar.sequence import FrameSequence


@dataclass(frozen=True)
class Dry:
    """It stops raining."""

    name: str = "dry"
    input_length: int = 1
    fewest_frames: ClassVar[int] = 1
    beside_every_model: ClassVar[bool] = True

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        return forecast_after(history, history.rain_rate[-1:].repeat(steps, axis=0) * np.float32(0))


@pytest.fixture
def dry(monkeypatch: pytest.MonkeyPatch) -> Dry:
    monkeypatch.setitem(BASELINES, "dry", Dry())
    return Dry()


def test_baselines_are_called_by_their_names() -> None:
    assert all(name == baseline.name for name, baseline in BASELINES.items())
    assert [baseline.name for baseline in beside_every_model()] == [
        "persistence",
        "extrapolation",
        "sprog-cdf",
        "sprog-mean",
    ]


def test_the_hardest_one_is_what_others_are_compared_with() -> None:
    assert reference_of(["persistence", "model", "smoothed", "extrapolation"]) == "smoothed"
    assert reference_of([*BASELINES, "model"]) == "sprog-mean"
    assert reference_of(["model", "persistence"]) == "persistence"
    assert reference_of(["model"]) is None


def test_one_reads_the_frames_that_there_are() -> None:
    extrapolation = BASELINES["extrapolation"]
    assert from_frames(extrapolation, 3) == Extrapolation(input_length=3)
    assert from_frames(extrapolation, 1) is None


@pytest.mark.parametrize(
    ("frames", "name"), [(1, "persistence"), (2, "extrapolation"), (3, "sprog-cdf"), (9, "sprog-cdf")]
)
def test_the_best_baseline_that_there_are_frames_for_stands_in_for_a_model(frames: int, name: str) -> None:
    assert stand_in(frames) == name
    assert from_frames(BASELINES[name], frames) is not None


def test_a_new_one_is_beside_every_model_and_learns_nothing(dry: Dry) -> None:
    assert beside_every_model()[-1] == dry
    assert is_baseline(dry)
    assert not is_baseline(object())  # type: ignore[arg-type]
