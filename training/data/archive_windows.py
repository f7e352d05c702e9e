"""Windows of an archive's frames, drawn towards rain: the examples of both `fit` and retraining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from radar.archive.archive import Archive
from radar.errors import IncompleteHistory
from radar.rain import WET_FROM
from radar.sequence import Float32, iso
from training.data.crops import Corner, draw_corner

_DRY_WEIGHT = 0.01
"""Windows and pieces are drawn with a probability proportional to their wet fraction plus this."""
_CANDIDATES = 8


@dataclass(frozen=True, order=True)
class Block:
    """Consecutive frames of one series, both ends included; a window lies within one block."""

    first: datetime
    last: datetime
    product: str
    grid: str
    frames: int

    def time(self, frame: int) -> datetime:
        """The time of the frame with that number, from 0."""
        return self.first + frame * ((self.last - self.first) / max(1, self.frames - 1))


@dataclass(frozen=True)
class Cut:
    """The form of windows.

    Parameters
    ----------
    input_length, leads : int
        Frames to read and to forecast.
    stride : int
        Timesteps from the start of one possible window to that of the next.
    tile : int
        Largest edge of a window's piece of the grid, in pixels.
    """

    input_length: int
    leads: int
    stride: int
    tile: int

    @property
    def length(self) -> int:
        """The number of frames of a window."""
        return self.input_length + self.leads


@dataclass(frozen=True)
class Window:
    """Frames of a block from its frame `start` on, cut to a piece that `seed` draws."""

    block: Block
    start: int
    cut: Cut
    seed: tuple[int, ...]

    def entry(self) -> dict[str, Any]:
        """The window as JSON values."""
        return {"block": iso(self.block.first), "product": self.block.product, "start": self.start}

    def read(self, archive: Archive) -> Float32:
        """(T, h, w) in mm/h: a piece with rain in the middle frame of the forecast."""
        first, last = self.block.time(self.start), self.block.time(self.start + self.cut.length - 1)
        frames = archive.read(self.block.product, self.block.grid, first, last).rain_rate
        shape = frames.shape[1], frames.shape[2]
        rows, columns = (min(edge, self.cut.tile) for edge in shape)
        middle = frames[(self.cut.input_length + len(frames)) // 2]

        def weight(corner: Corner) -> float:
            row, column = corner
            return _weight(middle[row : row + rows, column : column + columns])

        draw = np.random.default_rng(self.seed)
        row, column = draw_corner(shape, (rows, columns), weight, _CANDIDATES, draw)
        return frames[:, row : row + rows, column : column + columns]


def _weight(piece: Float32) -> float:
    """The weight of a piece; almost 0 without known pixels."""
    return float((piece > WET_FROM).mean()) + _DRY_WEIGHT if np.isfinite(piece).any() else 1e-9


def draw_windows(
    archive: Archive, blocks: Sequence[Block], cut: Cut, count: int, seed: tuple[int, ...]
) -> list[Window]:
    """Draw at most `count` of all windows in `blocks`, in order of blocks and time; equal seeds give equal windows.

    A window needs a known pixel in its last input frame and in a frame to forecast.

    Raises
    ------
    IncompleteHistory
        No window has known pixels.
    """
    tallies = _tallies(archive, blocks)
    places: list[tuple[Block, int]] = []
    odds: list[float] = []
    for block in blocks:
        wet, known = tallies[block]
        for start in range(0, block.frames - cut.length + 1, cut.stride):
            ahead = start + cut.input_length
            if known[ahead - 1] and known[ahead : start + cut.length].any():
                places.append((block, start))
                odds.append(float(wet[start : start + cut.length].mean()) + _DRY_WEIGHT)
    if not places:
        raise IncompleteHistory(
            expected=f"windows of {cut.length} frames with known pixels",
            got=f"none in {len(blocks)} stretches of {sum(block.frames for block in blocks)} frames",
            remedy="archive more days, or ask for fewer frames",
        )
    draw = np.random.default_rng(seed)
    shares = np.array(odds) / np.sum(odds)
    chosen = draw.choice(len(places), min(count, len(places)), replace=False, p=shares)
    return [
        Window(block, start, cut, (*seed, block.frames, start))
        for block, start in (places[index] for index in sorted(chosen))
    ]


Tally = tuple[Float32, npt.NDArray[np.bool_]]
"""The wet fraction of each frame of a block, and whether it has a known pixel."""


def _tallies(archive: Archive, blocks: Sequence[Block]) -> dict[Block, Tally]:
    """The tallies of blocks, from the archive's own counts: no pixel is read."""
    found: dict[Block, Tally] = {}
    for pair in dict.fromkeys((block.product, block.grid) for block in blocks):
        own = [block for block in blocks if (block.product, block.grid) == pair]
        frames = _of_each_frame(archive, own, *pair)
        for block in own:
            members = [frames[block.time(frame)] for frame in range(block.frames)]
            wet, known = zip(*members, strict=True)
            found[block] = np.array(wet, np.float32), np.array(known)
    return found


def _of_each_frame(
    archive: Archive, blocks: Sequence[Block], product: str, grid: str
) -> Mapping[datetime, tuple[float, bool]]:
    rows, columns = archive.series(product, grid).grid.shape
    pixels = rows * columns
    first, last = min(block.first for block in blocks), max(block.last for block in blocks)
    return {
        frame.valid_time: (frame.wet_pixels / max(1, pixels - frame.missing_pixels), frame.missing_pixels < pixels)
        for day in archive.days(product, grid, first, last)
        for frame in day.frames(first, last, pixels=False)
    }
