"""Blocks of an archive by hand, and the three parts they make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from radar.errors import IncompleteHistory
from training.data.archive_windows import Block
from training.retrain.config import PartsConfig
from training.retrain.parts import TEST, TRAINING, VALIDATION, cut_blocks, divide

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CONFIG = PartsConfig(test_share=0.2, validation_share=0.2, separation_hours=1.0)


def times(first: datetime, count: int) -> list[datetime]:
    return [first + timedelta(minutes=5 * k) for k in range(count)]


def hourly(count: int, product: str = "RY") -> list[Block]:
    """Blocks of 12 frames, one an hour."""
    starts = [NOON + timedelta(hours=k) for k in range(count)]
    return [Block(start, start + timedelta(minutes=55), product, "grid", 12) for start in starts]


def test_gaps_end_blocks_and_long_runs_are_cut_evenly() -> None:
    gappy = [*times(NOON, 30), *times(NOON + timedelta(hours=5), 3)]
    blocks = cut_blocks("RY", "grid", gappy, 5, hours=1.0)
    assert [block.frames for block in blocks] == [10, 10, 10, 3]
    assert blocks[1] == Block(NOON + timedelta(minutes=50), NOON + timedelta(minutes=95), "RY", "grid", 10)
    assert cut_blocks("RY", "grid", [], 5, hours=1.0) == []


def test_the_newest_blocks_are_the_test_part_and_those_just_before_are_in_none() -> None:
    blocks = hourly(10)
    parts = divide(blocks, 12, CONFIG)
    # 24 of 120 frames each; a block that ends less than an hour before the next part begins is left out
    assert parts.blocks == {TRAINING: blocks[:4], VALIDATION: blocks[5:7], TEST: blocks[8:]}
    assert parts.left_out == [
        (blocks[4], "ends within 1 h of the validation part"),
        (blocks[7], "ends within 1 h of the test part"),
    ]


def test_no_frame_of_another_series_is_trained_on_in_the_time_of_the_test() -> None:
    parts = divide([*hourly(10), *hourly(10, "YW")], 12, CONFIG)
    begins = min(block.first for block in parts.blocks[TEST])
    for part in (TRAINING, VALIDATION):
        assert max(block.last for block in parts.blocks[part]) < begins - timedelta(hours=1)
    assert {block.product for block in parts.blocks[TEST]} == {"RY", "YW"}


def test_short_blocks_are_left_out() -> None:
    short = Block(NOON - timedelta(hours=1), NOON - timedelta(minutes=50), "RY", "grid", 3)
    parts = divide([short, *hourly(10)], 12, CONFIG)
    assert (short, "fewer than 12 frames") in parts.left_out


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_little_for_three_parts_is_said(count: int) -> None:
    with pytest.raises(IncompleteHistory, match="for training, validation and test, got none for"):
        divide(hourly(count), 12, CONFIG)


@pytest.mark.parametrize("wrong", [{"test_share": 0.0}, {"test_share": 0.9}, {"windows": 0}, {"block_hours": 0.0}])
def test_parts_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        PartsConfig(**wrong)  # type: ignore[arg-type]
