"""Windows to train on, drawn towards rain, and the piece of the grid that each is cut to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np

from models.framing import Framing
from radar.archive.archive import Archive
from radar.sequence import Float32, iso
from training.fit.examples import Example, make_example
from training.retrain.config import PartsConfig
from training.retrain.parts import Block

_DRY_WEIGHT = 0.01
"""Windows and pieces are drawn with odds by their wet fraction plus this."""
_CANDIDATES = 8
"""Places that are drawn for a piece, of which one is kept."""


@dataclass(frozen=True)
class Window:
    """`length` frames of a block from its frame `start` on, cut to a piece of `tile` pixels that `seed` draws."""

    block: Block
    start: int
    length: int
    tile: int
    seed: tuple[int, ...]

    def entry(self) -> dict[str, Any]:
        """As JSON values."""
        return {"block": iso(self.block.first), "product": self.block.product, "start": self.start}


def draw_windows(
    archive: Archive, blocks: Sequence[Block], length: int, count: int, config: PartsConfig, seed: tuple[int, ...]
) -> list[Window]:
    """At most `count` windows of all in `blocks`, in order of blocks and time; the same for the same seed."""
    places = [(block, start) for block in blocks for start in range(0, block.frames - length + 1, config.stride)]
    wet = {block: _wet_fractions(archive, block) for block in blocks}
    odds = np.array([float(wet[block][start : start + length].mean()) for block, start in places]) + _DRY_WEIGHT
    draw = np.random.default_rng(seed)
    chosen = draw.choice(len(places), min(count, len(places)), replace=False, p=odds / odds.sum())
    return [
        Window(block, start, length, config.tile, (*seed, block.frames, start))
        for block, start in (places[index] for index in sorted(chosen))
    ]


def examples(archive: Archive, windows: Sequence[Window], framing: Framing) -> Iterator[Example]:
    """The examples of windows, in their order; a block, whose windows follow each other, is read once."""
    for block, members in groupby(windows, key=lambda window: window.block):
        rain_rate = archive.read(block.product, block.grid, block.first, block.last).rain_rate
        for window in members:
            frames = rain_rate[window.start : window.start + window.length]
            yield make_example(_piece(frames, window, framing.input_length), framing)


def _wet_fractions(archive: Archive, block: Block) -> Float32:
    """Of each frame of a block, by its tallies: no pixel is read."""
    rows, columns = archive.series(block.product, block.grid).grid.shape
    times: dict[datetime, float] = {
        frame.valid_time: frame.wet_pixels / max(1, rows * columns - frame.missing_pixels)
        for day in archive.days(block.product, block.grid, block.first, block.last)
        for frame in day.frames(block.first, block.last, pixels=False)
    }
    return np.array([times[time] for time in sorted(times)], np.float32)


def _piece(frames: Float32, window: Window, input_length: int) -> Float32:
    """A piece (T, h, w) where it rains in the middle of what is to be forecast; never one that is all missing."""
    rows, columns = (min(size, window.tile) for size in frames.shape[1:])
    middle = frames[(input_length + len(frames)) // 2]
    draw = np.random.default_rng(window.seed)
    above, left = frames.shape[1] - rows + 1, frames.shape[2] - columns + 1
    corners = [(int(draw.integers(above)), int(draw.integers(left))) for _ in range(_CANDIDATES)]
    odds = np.array([_weight(middle[row : row + rows, column : column + columns]) for row, column in corners])
    row, column = corners[int(draw.choice(len(corners), p=odds / odds.sum()))]
    return frames[:, row : row + rows, column : column + columns]


def _weight(piece: Float32) -> float:
    known = np.isfinite(piece)
    return float((piece > 0.1).mean()) + _DRY_WEIGHT if known.any() else 1e-9
