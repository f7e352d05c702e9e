"""An archive as a data set: its windows, its parts by days, and what is wrong with either."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radar.archive.archive import Archive
from radar.archive.file import Series
from radar.archive.frame import archived
from radar.errors import IncompleteHistory, RaincellError, UnknownProduct
from radar.sequence import FrameSequence
from tests.training.small_world import GRID, storm
from training.data import open_dataset
from training.data.archive import ArchiveDataset, archive_records, day_split
from training.data.archive_days import apart, days_in, split_days
from training.data.base import Part

FIRST = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAYS = [(FIRST + timedelta(days=k)).date() for k in range(6)]
SHORT: dict[str, Any] = {"input_length": 3, "leads": 2, "tile": 32}
SHARES: dict[Part, float] = {"validation": 0.15, "test": 0.2}
PARTS: tuple[Part, ...] = ("train", "validation", "test")


def put(archive: Archive, sequence: FrameSequence) -> None:
    """Frames into the archive, each day packed at once."""
    frames = zip(sequence.rain_rate, sequence.valid_times, strict=True)
    series = Series(sequence.product, sequence.grid, sequence.timestep_minutes)
    archive.add_days(series, [archived(rain, time) for rain, time in frames])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six days with an hour of rain each, the newest still loose."""
    archive = Archive(tmp_path_factory.mktemp("archive"))
    for k, day in enumerate(DAYS):
        hour = storm(FIRST + timedelta(days=k), 13, seed=k + 1)
        archive.append(hour) if day == DAYS[-1] else put(archive, hour)
    archive.write_manifest()
    return archive.root


def opened(root: Path, part: Part, **options: Any) -> ArchiveDataset:
    dataset = open_dataset("archive", root, part, **SHORT, **options)
    assert isinstance(dataset, ArchiveDataset)
    return dataset


def days_of(dataset: ArchiveDataset) -> list[date]:
    return sorted({window.block.time(window.start).date() for window in dataset.windows})


def test_a_window_is_a_piece_of_the_archived_frames(root: Path) -> None:
    dataset = opened(root, "train")
    window = dataset.windows[0]
    whole = Archive(root).read("RY", GRID.key, *(window.block.time(window.start + k) for k in (0, 4))).rain_rate
    piece = dataset.rain_rate(0)
    assert piece.shape == (5, 32, 32)
    places = [
        (row, column)
        for row in range(whole.shape[1] - 31)
        for column in range(whole.shape[2] - 31)
        if np.array_equal(whole[:, row : row + 32, column : column + 32], piece, equal_nan=True)
    ]
    assert len(places) == 1
    np.testing.assert_array_equal(opened(root, "train").rain_rate(0), piece)


def test_the_newest_days_are_for_the_test_and_no_day_is_in_two_parts(root: Path) -> None:
    found = {part: days_of(opened(root, part)) for part in PARTS}
    assert found == {"train": DAYS[:4], "validation": DAYS[4:5], "test": DAYS[5:]}
    named = {"validation_days": ["2026-05-02"], "test_days": ["2026-05-05/2026-05-09"]}
    found = {part: days_of(opened(root, part, **named)) for part in PARTS}
    assert found == {"train": [DAYS[0], *DAYS[2:4]], "validation": DAYS[1:2], "test": DAYS[4:]}


def test_windows_are_at_most_as_many_as_asked_for_and_drawn_towards_rain(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    dry = storm(FIRST, 100)
    put(archive, replace(dry, rain_rate=np.zeros_like(dry.rain_rate)))
    put(archive, storm(FIRST + timedelta(hours=2), 13))
    for k in (1, 2):
        put(archive, storm(FIRST + timedelta(days=k), 13))
    dataset = opened(tmp_path, "train", windows=6, stride=1)
    assert len(dataset) == 6
    assert sum(window.block.first > FIRST for window in dataset.windows) > 3  # of 105 windows 9 have rain


def test_frames_near_a_later_part_are_in_none() -> None:
    times = [FIRST + timedelta(hours=k) for k in range(0, 36, 3)]
    assert apart(times, {date(2026, 5, 2)}, 6.0) == [FIRST, FIRST + timedelta(hours=3)]
    assert apart(times, set(), 6.0) == times
    assert apart(times, {date(2026, 4, 30)}, 24.0) == times[4:]


def test_what_was_learnt_from_is_recorded_by_stretches_of_days(root: Path) -> None:
    split = day_split(root, validation_days=["2026-05-02"], test_days=[])
    records = archive_records(root, None, None, split)
    assert [(record["part"], record["first"][:10], record["last"][:10], record["frames"]) for record in records] == [
        ("train", "2026-05-01", "2026-05-01", 13),
        ("train", "2026-05-03", "2026-05-06", 52),
        ("validation", "2026-05-02", "2026-05-02", 13),
    ]
    assert {(record["name"], record["product"]) for record in records} == {(f"RY on {GRID.key}", "RY")}
    assert len({record["sha256"] for record in records}) == 3
    (root / "manifest.json").rename(root / "kept")
    assert archive_records(root, None, None, split) == records  # files are read where no manifest tells
    (root / "kept").rename(root / "manifest.json")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"product": "RX"}, r"expected one series of RY on .*, got RX on any grid, which are 0; did you mean RY\?"),
        ({"product": "ry"}, r"did you mean RY\?"),
        (
            {"grid": "radolan"},
            r"got any product on radolan, which are 0; check the names",
        ),
        ({"validation_days": ["2026-06-01"]}, "expected frames of RY .* on 2026-06-01, as named in validation_days"),
        ({"test_days": ["2026-05-01/2026-05-06"]}, "none to train on and to validate on among 6"),
        ({"validation_days": []}, "none to validate on"),
        ({"leads": 30}, "expected 33 frames of RY .* to train on, got 52 frames .* at most 13 without a gap"),
    ],
)
def test_what_the_archive_does_not_have_is_told(root: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(RaincellError, match=told):
        open_dataset("archive", root, "train", **(SHORT | options))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"test_days": ["2026-05-02"], "validation_days": ["2026-05-02"]}, "expected 2026-05-02 in one part only"),
        ({"validation_days": ["last week"]}, 'expected days as "2024-06-01".* in validation_days, got .last week'),
        ({"validation_days": ["2026-05-03/2026-05-01"]}, "in validation_days"),
        ({"validation_days": "2026-05-03"}, "expected a list, in .*, of texts in quotes for validation_days"),
        ({"validation_days": [date(2026, 5, 3)]}, "texts in quotes for validation_days"),
        ({"windows": 0}, "windows, .* of 1 or more"),
        ({"windows": "many"}, "expected a whole number for windows of archive, got 'many'"),
        ({"test_share": 1.0}, "test_share from 0 to below 1"),
        ({"separation_hours": 30}, "separation_hours of 0 to 24"),
        ({"prodct": "RY"}, "got prodct; did you mean product?"),
    ],
)
def test_options_that_cannot_be_are_refused(root: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        open_dataset("archive", root, "train", **(SHORT | options))


def test_of_several_series_one_is_named(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for k in range(3):
        put(archive, storm(FIRST + timedelta(days=k), 13))
        put(archive, replace(storm(FIRST + timedelta(days=k), 13), product="YW"))
    with pytest.raises(RaincellError, match=r"which are 2; name it as product and grid in \[data.options\]"):
        opened(tmp_path, "train")
    assert {window.block.product for window in opened(tmp_path, "train", product="YW").windows} == {"YW"}


def test_frames_without_a_known_pixel_teach_nothing(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for k in range(3):
        put(archive, blank(storm(FIRST + timedelta(days=k), 13)))
    with pytest.raises(IncompleteHistory, match="windows of 5 frames with known pixels, got none"):
        opened(tmp_path, "train")


def blank(sequence: FrameSequence) -> FrameSequence:
    return replace(sequence, rain_rate=np.full_like(sequence.rain_rate, np.nan))


def test_too_few_days_are_told_with_what_to_do(tmp_path: Path) -> None:
    put(Archive(tmp_path), storm(FIRST, 13))
    with pytest.raises(IncompleteHistory, match=r"none to train on and to validate on among 1 .*name train_days"):
        opened(tmp_path, "train")


@pytest.mark.parametrize("count", [3, 4, 10, 40])
def test_every_day_is_in_one_part_and_the_parts_named_are_the_parts(count: int) -> None:
    days = [date(2026, 1, 1) + timedelta(days=k) for k in range(count)]
    split = split_days(days, {}, SHARES, "RY")
    assert [day for part in PARTS for day in days if day in days_in(days, split[part])] == days
    assert len(days_in(days, split["test"])) == max(1, round(0.2 * count))
    assert split_days(days, split, SHARES, "RY") == split


def test_another_product_than_the_archive_has_is_an_unknown_product(root: Path) -> None:
    with pytest.raises(UnknownProduct):
        opened(root, "train", product="RX")
