"""Crops of examples as batches of tensors: drawn towards rain, turned, mirrored and damaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from radar.sequence import Float32
from training.config.config import DataConfig
from training.data.crops import Corner, draw_corner
from training.fit.examples import Example, Float16

Reads = npt.NDArray[np.bool_]

_CANDIDATES = 4
_DRY_WEIGHT = 0.03
"""Four places are drawn for each crop; one is kept with a probability proportional to its wet fraction plus this."""


class Batch(NamedTuple):
    """A batch of training data in network units.

    Parameters
    ----------
    frames : Tensor (T, B, inputs, H, W)
    frames_known : Tensor, bool (T, B, 1, H, W)
        Where the frames are known.
    base, targets : Tensor (K, B, 1, H, W)
    known : Tensor, bool (K, B, 1, H, W)
        Where base and targets are known.
    reads : Tensor, bool (T + K - 1, B)
        Whether the network reads the true frame.
    """

    frames: Tensor
    frames_known: Tensor
    base: Tensor
    targets: Tensor
    known: Tensor
    reads: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(*(tensor.to(device) for tensor in self))


def draw_sample(
    real: Sequence[Example], synthetic: Sequence[Example], data: DataConfig, crop: int, draw: np.random.Generator
) -> Example:
    """A crop of at most crop x crop pixels, turned and damaged by the settings in `data`."""
    pool = synthetic if synthetic and (not real or draw.random() < data.synthetic_share) else real
    sample = _draw_crop(pool[int(draw.integers(len(pool)))], crop, draw)
    if data.symmetries:
        sample = _turned(sample, draw)
    if data.intensity:
        sample = _shifted(sample, np.float16(draw.uniform(-data.intensity, data.intensity)))
    frames = sample.frames
    if draw.random() < data.lost_sectors:
        frames = drop_sector(frames, draw)
    if draw.random() < data.lost_frames:
        frames = drop_frame(frames, draw)
    # A forecast is NaN where the last frame is NaN, so the base, and with it the loss, leaves these pixels out.
    base = np.where(np.isnan(frames[-1]), np.float16(np.nan), sample.base)
    return Example(frames, sample.targets, base)


def to_batch(examples: Sequence[Example], inputs: Sequence[str], reads: Sequence[Reads] | None = None) -> Batch:
    """Stack examples of one shape; `reads` (T + K - 1,) of each, by default as in a forecast.

    `inputs` are the names of `models.spec.NetworkSpec.inputs`.
    """
    frames, targets, base = (
        np.stack([getattr(example, name) for example in examples], axis=1).astype(np.float32)
        for name in ("frames", "targets", "base")
    )
    frames_known = np.isfinite(frames)
    parts = {"rain": frames, "coverage": frames_known.astype(np.float32), "phase": np.zeros_like(frames)}
    parts["last"] = np.broadcast_to(frames[-1:], frames.shape)
    channels = [parts[name] for name in inputs]
    known = np.isfinite(targets) & np.isfinite(base)
    if reads is None:
        steps = np.arange(len(frames) + len(targets) - 1)
        reads = [steps < len(frames)] * len(examples)
    return Batch(
        frames=torch.from_numpy(np.nan_to_num(np.stack(channels, axis=2), nan=0.0)),
        frames_known=torch.from_numpy(frames_known[:, :, None]),
        base=_filled(base),
        targets=_filled(targets),
        known=torch.from_numpy(known[:, :, None]),
        reads=torch.from_numpy(np.stack(reads, axis=1)),
    )


def _filled(array: Float32) -> Tensor:
    return torch.from_numpy(np.nan_to_num(array[:, :, None], nan=0.0))


def _draw_crop(example: Example, crop: int, draw: np.random.Generator) -> Example:
    rows, columns = example.frames.shape[1:]
    if rows <= crop and columns <= crop:
        return example

    def weight(corner: Corner) -> float:
        return _wet_fraction(_cut(example, *corner, crop)) + _DRY_WEIGHT

    size = min(rows, crop), min(columns, crop)
    return _cut(example, *draw_corner((rows, columns), size, weight, _CANDIDATES, draw), crop)


def _cut(example: Example, row: int, column: int, crop: int) -> Example:
    window = (slice(None), slice(row, row + crop), slice(column, column + crop))
    return Example(example.frames[window], example.targets[window], example.base[window])


def _wet_fraction(example: Example) -> float:
    middle = example.targets[len(example.targets) // 2]
    # A crop without data is of no use: it gets a lower weight than even a dry crop.
    return float((middle > 0).mean()) if np.isfinite(middle).any() else -_DRY_WEIGHT + 1e-6


def _shifted(example: Example, by: np.float16) -> Example:
    """Change the rain rate of wet pixels; dry ones stay dry."""

    def shift(units: Float16) -> Float16:
        return np.where(units > 0, np.clip(units + by, np.float16(0), np.float16(1)), units)

    return Example(shift(example.frames), shift(example.targets), shift(example.base))


def _turned(example: Example, draw: np.random.Generator) -> Example:
    """The example under one of the eight symmetries of the square."""
    turns, mirror = int(draw.integers(4)), bool(draw.integers(2))

    def turn(array: np.ndarray) -> np.ndarray:
        turned = np.rot90(array, turns, axes=(1, 2))
        return turned[:, :, ::-1] if mirror else turned

    return Example(turn(example.frames), turn(example.targets), turn(example.base))


def drop_sector(frames: Float16, draw: np.random.Generator) -> Float16:
    """Frames (T, H, W) without a sector of random centre, bearing and width (30 to 120 degrees), as of one radar."""
    rows, columns = frames.shape[1:]
    row, column = draw.uniform(0, rows), draw.uniform(0, columns)
    bearing, width = draw.uniform(-np.pi, np.pi), draw.uniform(np.pi / 6, 2 * np.pi / 3)
    down, across = np.arange(rows)[:, None] - row, np.arange(columns)[None] - column
    turned = (np.arctan2(down, across) - bearing) % (2 * np.pi)
    return np.where(turned < width, np.float16(np.nan), frames)


def drop_frame(frames: Float16, draw: np.random.Generator) -> Float16:
    """Frames (T, H, W) without one of the frames before the last; a single frame stays unchanged."""
    if len(frames) == 1:
        return frames
    dropped = frames.copy()
    dropped[int(draw.integers(len(frames) - 1))] = np.nan
    return dropped
