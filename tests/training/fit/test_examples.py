from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.framing import Framing
from radar.grid import Grid
from radar.sequence import FrameSequence
from radar.synthetic import Weather, storm_sequence
from training.config.config import DataConfig
from training.fit.batches import draw_sample, to_batch
from training.fit.examples import (
    Example,
    KeptExamples,
    StoredExamples,
    cut_windows,
    event_examples,
    make_example,
    storm_examples,
)

INPUTS = ("rain", "coverage")
LAGRANGIAN = Framing(coordinates="lagrangian", base="persistence")


def storm(frames: int = 17, timestep: int = 5, pixel: float = 1.0) -> FrameSequence:
    weather = Weather(wet_fraction=0.4, wind_km_per_hour=(48.0, 24.0), lifetime_minutes=5000.0, missing_sector=True)
    return storm_sequence(
        Grid("test", (160, 176), pixel),
        frames,
        seed=5,
        end_time=datetime(2026, 1, 1, tzinfo=UTC),
        timestep_minutes=timestep,
        weather=weather,
    )


def test_windows_cover_a_sequence_and_stay_inside() -> None:
    sequence = storm(20)
    windows = list(cut_windows(sequence, 17, 2))
    assert len(windows) == 2
    np.testing.assert_array_equal(windows[1], sequence.rain_rate[2:19])
    assert not list(cut_windows(storm(16), 17, 1))


def test_in_lagrangian_coordinates_steady_rain_stands_still() -> None:
    moving = make_example(storm().rain_rate, Framing(base="persistence"))
    still = make_example(storm().rain_rate, LAGRANGIAN)

    def error(example: Example) -> float:
        return float(np.nanmean(np.abs(example.targets[5].astype(np.float32) - example.base[5])))

    assert error(still) < 0.6 * error(moving)


def test_the_future_decides_neither_motion_nor_base() -> None:
    window = storm().rain_rate
    changed = window.copy()
    changed[5:] = 0
    one, other = make_example(window, LAGRANGIAN), make_example(changed, LAGRANGIAN)
    np.testing.assert_array_equal(one.frames, other.frames)
    np.testing.assert_array_equal(one.base, other.base)


def test_events_of_another_cadence_or_pixel_size_are_refused() -> None:
    with pytest.raises(ValueError, match="10 min"):
        list(event_examples([storm(timestep=10)], Framing(), 12, 1))
    with pytest.raises(ValueError, match=r"0\.5 km"):
        list(event_examples([storm(pixel=0.5)], Framing(), 12, 1))


def test_batches_are_the_same_for_the_same_draw_and_mark_missing_pixels() -> None:
    examples = list(storm_examples(2, LAGRANGIAN, 3, seed=1))
    data = DataConfig(lost_sectors=0.5, lost_frames=0.5)
    batches = [
        to_batch([draw_sample(examples, [], data, 64, np.random.default_rng((4, k))) for k in range(3)], INPUTS)
        for _ in range(2)
    ]
    assert batches[0].frames.shape == (5, 3, 2, 64, 64)
    assert batches[0].targets.shape == (3, 3, 1, 64, 64)
    for one, other in zip(*batches, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_coverage_is_zero_exactly_where_frames_are_missing() -> None:
    example = make_example(storm().rain_rate, LAGRANGIAN)
    batch = to_batch([example], INPUTS)
    np.testing.assert_array_equal(batch.frames[:, 0, 1].numpy() == 0, np.isnan(example.frames))
    assert not batch.frames[:, 0, 0].numpy()[np.isnan(example.frames)].any()
    np.testing.assert_array_equal(
        batch.known[:, 0, 0].numpy(), np.isfinite(example.targets) & np.isfinite(example.base)
    )


class Counted(list[Example]):
    asked = 0

    def __getitem__(self, index: Any) -> Any:
        self.asked += 1
        return super().__getitem__(index)


def test_an_example_is_made_once_and_kept_for_whoever_asks_next(tmp_path: Path) -> None:
    made = Counted(storm_examples(3, LAGRANGIAN, 3, seed=1))
    for _ in range(2):  # the second as a run that goes on
        kept: Sequence[Example] = KeptExamples(made, tmp_path / "windows")
        for index in (2, 0, 2):
            for name in ("frames", "targets", "base"):
                np.testing.assert_array_equal(getattr(kept[index], name), getattr(list.__getitem__(made, index), name))
    assert made.asked == 2
    assert len(kept) == 3
    assert len(StoredExamples(tmp_path / "windows")) == 2
    assert sorted(path.name for path in (tmp_path / "windows").iterdir()) == ["000000-5-3.npy", "000002-5-3.npy"]
