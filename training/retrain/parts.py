"""Stretches of time to train on, to validate on and to test on: the newest to test, so that a test is a forecast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from models.framing import Framing
from radar.archive.archive import Archive
from radar.errors import IncompleteHistory
from radar.sequence import Float32, iso
from radar.times import runs
from training.fit.examples import Example, make_example
from training.retrain.config import PartsConfig

TRAINING, VALIDATION, TEST = "training", "validation", "test"


@dataclass(frozen=True, order=True)
class Block:
    """Consecutive frames of one series, both ends included; they are in one part together."""

    first: datetime
    last: datetime
    product: str
    grid: str
    frames: int


@dataclass(frozen=True)
class Parts:
    """Blocks by part, in order of time, and those in none with the reason."""

    blocks: dict[str, list[Block]]
    left_out: list[tuple[Block, str]]


def cut_blocks(product: str, grid: str, times: Sequence[datetime], timestep_minutes: int, hours: float) -> list[Block]:
    """Blocks of `hours` at most: the runs between gaps, each cut into as few equal pieces as that takes."""
    longest = max(1, int(hours * 60 // timestep_minutes))
    return [
        Block(piece[0], piece[-1], product, grid, len(piece))
        for run in runs(times, timedelta(minutes=timestep_minutes))
        for piece in _pieces(run, longest)
    ]


def _pieces(run: Sequence[datetime], longest: int) -> Iterator[Sequence[datetime]]:
    count = -(-len(run) // longest)
    edges = [len(run) * k // count for k in range(count + 1)]
    return (run[first:end] for first, end in pairwise(edges))


def divide(blocks: Iterable[Block], needed: int, config: PartsConfig) -> Parts:
    """The newest blocks are the test part, those before them the validation part, the rest the training part.

    Parameters
    ----------
    blocks : iterable of Block
    needed : int
        Frames of a window; blocks with fewer are left out.

    Raises
    ------
    IncompleteHistory
        Too few blocks for three parts.
    """
    left_out = [(block, f"fewer than {needed} frames") for block in blocks if block.frames < needed]
    rest = sorted(block for block in blocks if block.frames >= needed)
    total = sum(block.frames for block in rest)
    parts: dict[str, list[Block]] = {}
    for part, share in ((TEST, config.test_share), (VALIDATION, config.validation_share)):
        newest, rest, between = _newest(rest, share * total, timedelta(hours=config.separation_hours))
        parts[part] = newest
        left_out += [(block, f"ends within {config.separation_hours:g} h of the {part} part") for block in between]
    parts[TRAINING] = rest
    _check(parts, needed)
    return Parts({part: parts[part] for part in (TRAINING, VALIDATION, TEST)}, sorted(left_out))


def _newest(blocks: list[Block], frames: float, separation: timedelta) -> tuple[list[Block], list[Block], list[Block]]:
    """The newest blocks with `frames` together, those well before them, and those between."""
    count, begins = 0, None
    for block in reversed(blocks):
        begins = block.first
        count += block.frames
        if count >= frames:
            break
    if begins is None:
        return [], [], []
    newest = [block for block in blocks if block.first >= begins]
    before = [block for block in blocks if block.first < begins]
    well_before = [block for block in before if block.last < begins - separation]
    return newest, well_before, [block for block in before if block not in well_before]


def _check(parts: dict[str, list[Block]], needed: int) -> None:
    empty = [part for part, blocks in parts.items() if not blocks]
    if empty:
        there = "; ".join(f"{part} {iso(blocks[0].first)} on" for part, blocks in parts.items() if blocks)
        raise IncompleteHistory(
            expected=f"blocks of at least {needed} frames for training, validation and test",
            got=f"none for {' and '.join(empty)}" + (f" ({there})" if there else ""),
            remedy="archive more days, or set shorter blocks or separation under [parts]",
        )


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
