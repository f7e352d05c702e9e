from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest

import radar.files.rydl
from radar.errors import IncompleteHistory, UnreadableFile
from radar.files.netcdf.writer import to_netcdf
from radar.files.open import open_sequence
from radar.files.rydl import is_rydl_file, read_rydl, rydl_sequences, rydl_times
from radar.grid import KNOWN_GRIDS

NOON = datetime(2016, 6, 1, 12, tzinfo=UTC)
MINUTES = (0, 5, 10, 20, 25)
"""With a gap, as the real data set has many."""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Frames whose south-west pixel tells the minute, with a negative pixel and a NaN beside it."""
    path = tmp_path / "RYDL.hdf5"
    with h5py.File(path, "w") as file:
        for minutes in MINUTES:
            amount = np.zeros((900, 900), np.float32)
            amount[0, :3] = (minutes + 1) / 100, -9, np.nan
            key = f"{NOON + timedelta(minutes=minutes):%Y%m%d%H%M}"
            file.create_dataset(key, data=amount, compression="gzip", chunks=(900, 900))
    return path


def test_amounts_become_rates_with_north_up(saved: Path) -> None:
    read = read_rydl(saved, end=NOON + timedelta(minutes=10))
    assert read.valid_times == tuple(NOON + timedelta(minutes=m) for m in (0, 5, 10))
    assert (read.grid, read.product, read.timestep_minutes) == (KNOWN_GRIDS["radolan"], "RY", 5)
    np.testing.assert_allclose(read.rain_rate[:, 899, 0], [0.12, 0.72, 1.32], rtol=1e-6)
    assert np.isnan(read.rain_rate[:, 899, 1:3]).all()
    assert (read.rain_rate[:, 0] == 0).all()


def test_a_file_may_say_that_its_rows_begin_in_the_north(saved: Path) -> None:
    with h5py.File(saved, "r+") as file:
        file.attrs["row_order"] = "row 0 is north (y descends)"
    np.testing.assert_allclose(read_rydl(saved, end=NOON).rain_rate[0, 0, 0], 0.12, rtol=1e-6)


def test_open_sequence_knows_the_file_by_its_keys(saved: Path, tmp_path: Path) -> None:
    read = open_sequence([saved], start=NOON + timedelta(minutes=20), observations_only=True)
    assert len(read) == 2
    with pytest.raises(IncompleteHistory, match="10 minutes between"):
        open_sequence([saved])
    (tmp_path / "event.nc").write_bytes(to_netcdf(read))
    assert is_rydl_file(saved)
    assert not is_rydl_file(tmp_path / "event.nc")
    assert not is_rydl_file(tmp_path / "none")


def test_times_are_listed_without_reading_pixels(saved: Path) -> None:
    assert rydl_times(saved) == tuple(NOON + timedelta(minutes=m) for m in MINUTES)


def test_gaps_and_the_longest_length_end_a_sequence(saved: Path) -> None:
    assert [len(s) for s in rydl_sequences(saved)] == [3, 2]
    assert [len(s) for s in rydl_sequences(saved, longest=2)] == [2, 1, 2]
    parts = list(rydl_sequences(saved, start=NOON + timedelta(minutes=10), end=NOON + timedelta(minutes=20)))
    assert [s.valid_times[0].minute for s in parts] == [10, 20]


def test_years_are_not_read_at_once(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radar.files.rydl, "MOST_FRAMES", 4)
    with pytest.raises(IncompleteHistory, match=r"at most 4 frames at once from RYDL.hdf5, got 5 .*; name start and"):
        read_rydl(saved)


def test_a_time_that_is_not_there_is_told(saved: Path) -> None:
    with pytest.raises(IncompleteHistory, match="got none; it reaches from 2016-06-01T12:00:00Z to 2016-06-01T12:25"):
        read_rydl(saved, start=NOON + timedelta(days=1))


@pytest.mark.parametrize(
    ("key", "data", "text"),
    [
        ("201606011205", np.zeros((900, 900), np.int16), "floating-point pixels in x.h5, got .* of int16"),
        ("201606011205", np.zeros((90, 90), np.float32), "900x900"),
        ("201606011205", np.full((900, 900), np.inf, np.float32), "finite rain"),
        ("201613011205", np.zeros((900, 900), np.float32), "keys that are times, YYYYMMDDHHMM, in x.h5"),
        ("notes", np.zeros((900, 900), np.float32), "keys that are times"),
    ],
)
def test_other_data_sets_are_refused(key: str, data: np.ndarray, text: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file[key] = data
    with pytest.raises(UnreadableFile, match=text) as caught:
        read_rydl(tmp_path / "x.h5")
    assert str(tmp_path) not in str(caught.value)


def test_damage_is_told_without_the_folder(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "half.hdf5").write_bytes(saved.read_bytes()[:5000])
    with pytest.raises(UnreadableFile, match=r"a sound HDF5 file in half.hdf5") as caught:
        read_rydl(tmp_path / "half.hdf5")
    assert str(tmp_path) not in str(caught.value)
