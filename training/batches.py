"""Crops of examples as batches of tensors: drawn towards rain, turned and mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from radar.sequence import Float32
from training.examples import Example

_CANDIDATES = 4
_DRY_WEIGHT = 0.03
"""Four places are drawn for each crop, and one is kept with odds by its wet fraction plus this."""


class Batch(NamedTuple):
    """Network inputs (T, B, inputs, H, W), base and targets (K, B, 1, H, W), and where both are known."""

    frames: Tensor
    base: Tensor
    targets: Tensor
    known: Tensor


def draw_batch(
    real: Sequence[Example],
    synthetic: Sequence[Example],
    *,
    share: float,
    size: int,
    crop: int,
    coverage: bool,
    draw: np.random.Generator,
) -> Batch:
    """A batch of `size` crops of crop x crop pixels; a `share` of them from synthetic storms."""
    crops = []
    for _ in range(size):
        pool = synthetic if synthetic and (not real or draw.random() < share) else real
        crops.append(_turned(_draw_crop(pool[int(draw.integers(len(pool)))], crop, draw), draw))
    return to_batch(crops, coverage)


def to_batch(examples: Sequence[Example], coverage: bool) -> Batch:
    """Stack examples of one shape."""
    frames, targets, base = (
        np.stack([getattr(example, name) for example in examples], axis=1).astype(np.float32)
        for name in ("frames", "targets", "base")
    )
    channels = [frames, np.isfinite(frames).astype(np.float32)] if coverage else [frames]
    known = np.isfinite(targets) & np.isfinite(base)
    return Batch(
        torch.from_numpy(np.nan_to_num(np.stack(channels, axis=2), nan=0.0)),
        _filled(base),
        _filled(targets),
        torch.from_numpy(known[:, :, None]),
    )


def _filled(array: Float32) -> Tensor:
    return torch.from_numpy(np.nan_to_num(array[:, :, None], nan=0.0))


def _draw_crop(example: Example, crop: int, draw: np.random.Generator) -> Example:
    rows, columns = example.frames.shape[1:]
    places = [(draw.integers(rows - crop + 1), draw.integers(columns - crop + 1)) for _ in range(_CANDIDATES)]
    crops = [_cut(example, int(row), int(column), crop) for row, column in places]
    odds = np.array([_wet_fraction(piece) + _DRY_WEIGHT for piece in crops])
    return crops[int(draw.choice(len(crops), p=odds / odds.sum()))]


def _cut(example: Example, row: int, column: int, crop: int) -> Example:
    window = (slice(None), slice(row, row + crop), slice(column, column + crop))
    return Example(example.frames[window], example.targets[window], example.base[window])


def _wet_fraction(example: Example) -> float:
    middle = example.targets[len(example.targets) // 2]
    # All missing counts as nothing to learn: not even the odds of a dry crop.
    return float((middle > 0).mean()) if np.isfinite(middle).any() else -_DRY_WEIGHT + 1e-6


def _turned(example: Example, draw: np.random.Generator) -> Example:
    """One of the eight symmetries of the square."""
    turns, mirror = int(draw.integers(4)), bool(draw.integers(2))

    def turn(array: np.ndarray) -> np.ndarray:
        turned = np.rot90(array, turns, axes=(1, 2))
        return turned[:, :, ::-1] if mirror else turned

    return Example(turn(example.frames), turn(example.targets), turn(example.base))
