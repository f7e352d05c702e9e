from __future__ import annotations

import numpy as np
import pytest

from training.config.config import DataConfig
from training.fit.batches import draw_sample, drop_frame, drop_sector, to_batch
from training.fit.examples import Example


def frames(count: int = 4) -> np.ndarray:
    return np.full((count, 40, 50), 0.5, np.float16)


@pytest.mark.parametrize("seed", range(5))
def test_a_sector_is_lost_in_every_frame_and_the_rest_stays(seed: int) -> None:
    damaged = drop_sector(frames(), np.random.default_rng(seed))
    missing = np.isnan(damaged)
    assert (missing == missing[0]).all()
    assert 0 < missing.mean() < 0.9
    assert (damaged[~missing] == 0.5).all()


def test_one_frame_is_lost_but_never_the_last() -> None:
    lost = [np.isnan(drop_frame(frames(), np.random.default_rng(seed))).all(axis=(1, 2)) for seed in range(20)]
    assert (np.sum(lost, axis=1) == 1).all()
    assert not np.array(lost)[:, -1].any()
    assert {int(np.argmax(each)) for each in lost} == {0, 1, 2}


def test_what_is_lost_counts_neither_as_rain_nor_as_dry() -> None:
    example = Example(frames(5), frames(3), frames(3))
    sample = draw_sample([example], [], DataConfig(lost_sectors=1.0), 40, np.random.default_rng(2))
    batch = to_batch([sample], inputs=("rain", "coverage"))
    missing = np.isnan(sample.frames[-1])
    assert missing.any()
    assert not batch.known[:, 0, 0].numpy()[:, missing].any()
    assert batch.known[:, 0, 0].numpy()[:, ~missing].all()
    assert not batch.frames[:, 0, 1].numpy()[:, missing].any()
