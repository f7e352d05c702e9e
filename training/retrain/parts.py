"""Stretches of time for training, validation and test: the newest are for the test, so that it tests the future."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from radar.errors import IncompleteHistory
from radar.sequence import iso
from radar.times import runs
from training.data.archive_windows import Block
from training.retrain.config import PartsConfig

TRAINING, VALIDATION, TEST = "training", "validation", "test"


@dataclass(frozen=True)
class DataParts:
    """Blocks by part, in order of time, and left out blocks with the reason."""

    blocks: dict[str, list[Block]]
    left_out: list[tuple[Block, str]]


def cut_blocks(product: str, grid: str, times: Sequence[datetime], timestep_minutes: int, hours: float) -> list[Block]:
    """Blocks of `hours` at most: runs between gaps, each cut into as few equal pieces as possible."""
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


def divide(blocks: Iterable[Block], needed: int, config: PartsConfig) -> DataParts:
    """The newest blocks are the test part, those before them the validation part, the rest the training part.

    Parameters
    ----------
    blocks : iterable of Block
    needed : int
        Frames of a window; blocks with fewer are left out.

    Raises
    ------
    IncompleteHistory
        There are too few blocks for three parts.
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
    return DataParts({part: parts[part] for part in (TRAINING, VALIDATION, TEST)}, sorted(left_out))


def _newest(blocks: list[Block], frames: float, separation: timedelta) -> tuple[list[Block], list[Block], list[Block]]:
    """The newest blocks with `frames` together, those at least `separation` before them, and those between."""
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
