"""What a retraining freezes of an archive, and that it stays so."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from radar.archive.archive import Archive
from radar.errors import IncompleteHistory
from tests.training.small_world import GRID, NOON, storm
from training.retrain.snapshot import Snapshot, Wanted, freeze

WANTED = Wanted(timestep_minutes=5, pixel_size_km=1.0, smallest=16)
DAYS = 3


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Three days of a few frames, of which the last is not packed."""
    archive = Archive(tmp_path / "archive")
    for day in range(DAYS):
        archive.append(storm(NOON + timedelta(days=day), 4, seed=day))
        if day < DAYS - 1:
            archive.pack((NOON + timedelta(days=day)).date())
    return archive


def frozen(archive: Archive, wanted: Wanted = WANTED) -> Snapshot:
    return freeze(archive, archive.root.parent / "frozen", wanted)


def test_frozen_frames_stay_whatever_becomes_of_the_archive(archive: Archive) -> None:
    before = {day: archive.read("RY", GRID.key, *ends(day)).rain_rate for day in range(DAYS)}
    snapshot = frozen(archive)
    packed = next(path for path in archive.root.rglob("*.nc"))
    assert packed.samefile(snapshot.archive.root / packed.relative_to(archive.root))  # no room taken
    digests = dict(snapshot.files())
    archive.append(replace(storm(NOON, 4), rain_rate=np.full((4, *GRID.shape), 3.0, np.float32)))
    archive.pack((NOON + timedelta(days=2)).date())
    archive.forget_before(NOON + timedelta(days=1))
    for day, rain_rate in before.items():
        np.testing.assert_array_equal(snapshot.archive.read("RY", GRID.key, *ends(day)).rain_rate, rain_rate)
    assert dict(snapshot.files()) == digests


def ends(day: int) -> tuple[datetime, datetime]:
    last = NOON + timedelta(days=day)
    return last - timedelta(minutes=15), last


def test_the_newest_days_alone_are_taken_if_so_said(archive: Archive) -> None:
    times = frozen(archive, replace(WANTED, newest_days=1)).archive.times("RY", GRID.key)
    assert {time.date() for time in times} == {(NOON + timedelta(days=day)).date() for day in (1, 2)}


def test_a_damaged_day_is_left_out_by_name(archive: Archive) -> None:
    day = next(archive.days("RY", GRID.key))
    day.packed.write_bytes(b"no longer HDF5")
    snapshot = frozen(archive)
    ((what, why),) = snapshot.left_out
    assert what == f"RY on {GRID.key}, 2026-05-01"
    assert "a sound file 2026-05-01.nc" in why
    assert [series.product for series in snapshot.series] == ["RY"]


def test_other_disks_get_copies(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", refuse)
    assert len(frozen(archive).archive.times("RY", GRID.key)) == 4 * DAYS


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (replace(WANTED, timestep_minutes=10), "every 5 minutes, the model every 10"),
        (replace(WANTED, pixel_size_km=2.0), "pixels of 1 km, the model's 2"),
        (replace(WANTED, smallest=64), "40 x 48 pixels, a crop 64"),
        (replace(WANTED, products=("RV",)), "a product that the configuration does not name"),
    ],
)
def test_what_does_not_fit_is_said(archive: Archive, wanted: Wanted, why: str) -> None:
    assert wanted.refuses(archive.series("RY", GRID.key)) == why
    with pytest.raises(IncompleteHistory, match=f"an archive of RY on {GRID.key}"):
        frozen(archive, wanted)
