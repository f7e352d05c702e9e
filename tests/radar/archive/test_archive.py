"""The archive: what is put in comes out again, whoever is killed, and however often it is put in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import radar.archive.file
from radar.archive.archive import Archive
from radar.archive.file import Series
from radar.archive.frame import archived
from radar.errors import GridMismatch, IncompleteHistory, InvalidRequest, UnknownProduct, UnreadableFile
from radar.files.open import open_sequence
from radar.grid import KNOWN_GRIDS, Grid
from radar.sequence import FrameSequence

_GRID = Grid("small", (12, 10), 1.0)
_START = datetime(2024, 5, 1, 23, 30, tzinfo=UTC)
_FIVE = timedelta(minutes=5)


def _rain(count: int, *, start: datetime = _START, seed: int = 0, grid: Grid = _GRID) -> FrameSequence:
    """Rates on RADOLAN's steps, a tenth missing."""
    draw = np.random.default_rng(seed)
    steps = draw.integers(0, 4096, (count, *grid.shape)) * (draw.random((count, *grid.shape)) < 0.4)
    rain = (steps * 12 / 100).astype(np.float32)
    rain[draw.random(rain.shape) < 0.1] = np.nan
    return FrameSequence(rain, tuple(start + _FIVE * k for k in range(count)), grid, 5, "RY")


def _add_packed(archive: Archive, sequence: FrameSequence) -> tuple[int, int]:
    series = Series(sequence.product, sequence.grid, sequence.timestep_minutes)
    return archive.add_days(series, map(archived, sequence.rain_rate, sequence.valid_times))


def _all(archive: Archive) -> FrameSequence:
    times = archive.times("RY", _GRID.key)
    return archive.read("RY", _GRID.key, times[0], times[-1])


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def test_an_empty_archive_holds_nothing_and_says_so(archive: Archive) -> None:
    assert archive.products() == []
    assert archive.manifest()["series"] == []
    assert archive.forget_before(_START) == 0
    assert not archive.root.exists()
    with pytest.raises(UnknownProduct, match="no products at all"):
        archive.times("RY", "radolan")


@pytest.mark.parametrize("pack", [False, True])
def test_frames_come_back_to_the_bit_across_midnight(archive: Archive, pack: bool) -> None:
    rain = _rain(12)
    assert archive.append(rain) == 12
    if pack:
        assert archive.pack(date(2024, 5, 1)) == 6
        assert archive.pack(date(2024, 5, 2)) == 6
        assert archive.pack(date(2024, 5, 2)) == 0
    back = _all(archive)
    np.testing.assert_array_equal(back.rain_rate, rain.rain_rate)
    assert (back.valid_times, back.grid, back.product) == (rain.valid_times, rain.grid, "RY")
    assert archive.products() == [("RY", _GRID.key)]
    assert [len(day) for day in archive.iter_days("RY", _GRID.key)] == [6, 6]


def test_the_same_frames_again_change_no_byte(archive: Archive) -> None:
    rain = _rain(12)
    assert _add_packed(archive, rain) == (12, 0)
    before = {path: path.read_bytes() for path in archive.root.rglob("*.nc")}
    assert archive.append(rain) == 0
    assert _add_packed(archive, rain) == (0, 0)
    assert {path: path.read_bytes() for path in archive.root.rglob("*.nc")} == before


@pytest.mark.parametrize("pack_first", [False, True])
@pytest.mark.parametrize("loose", [False, True])
def test_another_frame_for_a_time_is_a_counted_correction(archive: Archive, pack_first: bool, loose: bool) -> None:
    first, second = _rain(3), _rain(3, seed=1)
    archive.append(first)
    if pack_first:
        archive.pack(date(2024, 5, 1))
    assert (archive.append(second) if loose else _add_packed(archive, second)[0]) == 0
    np.testing.assert_array_equal(_all(archive).rain_rate, second.rain_rate)
    assert archive.manifest()["series"][0]["corrections"] == 3
    archive.pack(date(2024, 5, 1))
    np.testing.assert_array_equal(_all(archive).rain_rate, second.rain_rate)
    assert archive.manifest()["series"][0]["corrections"] == 3


def test_order_of_packing_leaves_the_same_bytes(tmp_path: Path) -> None:
    rain, one, other = _rain(6), Archive(tmp_path / "one"), Archive(tmp_path / "other")
    _add_packed(one, rain)
    other.append(rain.last(3))
    _add_packed(other, replace(rain, rain_rate=rain.rain_rate[:4], valid_times=rain.valid_times[:4]))
    name = f"RY/{_GRID.key}/2024/2024-05-01.nc"
    assert (one.root / name).read_bytes() == (other.root / name).read_bytes()
    assert not (other.root / name).with_suffix("").exists()


def test_gaps_are_named_and_end_a_sequence(archive: Archive) -> None:
    start = _START - timedelta(hours=3)
    archive.append(_rain(3, start=start))
    archive.append(_rain(2, start=start + 6 * _FIVE))
    archive.append(_rain(2, start=start + 9 * _FIVE))
    key = _GRID.key
    assert archive.gaps("RY", key) == [(start + 3 * _FIVE, start + 5 * _FIVE), (start + 8 * _FIVE, start + 8 * _FIVE)]
    before, after = start - timedelta(minutes=12), start + timedelta(minutes=11)
    assert archive.gaps("RY", key, before, after) == [(start - 2 * _FIVE, start - _FIVE)]
    assert [len(run) for run in archive.iter_days("RY", key)] == [3, 2, 2]
    assert [len(run) for run in archive.iter_days("RY", key, longest=2)] == [2, 1, 2, 2]
    with pytest.raises(IncompleteHistory, match="none from 2024-05-01T20:45:00Z to 2024-05-01T20:55:00Z, and 1 other"):
        archive.read("RY", key, start, start + 10 * _FIVE)
    with pytest.raises(IncompleteHistory, match="none from 2023-01-01T00:00:00Z"):
        archive.read("RY", key, datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, 1, tzinfo=UTC))


def test_what_the_range_cannot_hold_is_saturated_and_counted(archive: Archive) -> None:
    rain = _rain(1)
    rain.rain_rate[0, 0, :4] = [655.34, 655.35, 5000, np.nan]
    archive.append(rain)
    np.testing.assert_allclose(_all(archive).rain_rate[0, 0, :4], [655.34, 655.34, 655.34, np.nan], rtol=1e-6)
    assert archive.manifest()["series"][0]["saturated_pixels"] == 2


def test_rates_between_the_steps_are_rounded_by_half_a_step_at_most(archive: Archive) -> None:
    rain = _rain(1)
    rain.rain_rate[:] = np.random.default_rng(0).random(rain.rain_rate.shape, np.float32) * 600
    archive.append(rain)
    assert np.abs(_all(archive).rain_rate - rain.rain_rate).max() <= 0.00505


def test_the_manifest_counts_rain_and_missing_pixels_by_hand(archive: Archive) -> None:
    rain = _rain(2)
    rain.rain_rate[:] = 0
    rain.rain_rate[0, :3, 0] = [0.1, 0.09, 7]
    rain.rain_rate[1, :6] = np.nan
    archive.append(rain)
    archive.pack(date(2024, 5, 1))
    said = archive.write_manifest()["series"][0]
    assert (said["frames"], said["wet_pixels"], said["missing_pixels"]) == (2, 2, 60)
    assert (said["wet_fraction"], said["missing_fraction"]) == (round(2 / 180, 6), 0.25)
    assert json.loads((archive.root / "manifest.json").read_text())["series"] == [said]
    assert archive.manifest()["series"] == [said]


def test_other_libraries_read_a_day(archive: Archive) -> None:
    rain = _rain(3, grid=KNOWN_GRIDS["radolan"])
    _add_packed(archive, rain)
    path = archive.root / "RY/radolan/2024/2024-05-01.nc"
    with xr.open_dataset(path, engine="netcdf4") as dataset:
        assert dataset.rainfall_rate.dims == ("time", "y", "x")
        assert dataset.rainfall_rate.attrs["units"] == "mm h-1"
        np.testing.assert_allclose(dataset.rainfall_rate.values, rain.rain_rate, rtol=1e-6)
    again = open_sequence([path])
    assert (again.grid, again.product, again.valid_times) == (rain.grid, "RY", rain.valid_times)


def test_forecasts_strange_names_and_other_timesteps_are_refused(archive: Archive) -> None:
    rain = _rain(2)
    with pytest.raises(InvalidRequest, match="a forecast is not history"):
        archive.append(replace(rain, reference_time=_START))
    for name in ("", "../RY", ".hidden", "a/b"):
        with pytest.raises(InvalidRequest, match="give the frames a product name"):
            archive.append(replace(rain, product=name))
    archive.append(rain)
    with pytest.raises(GridMismatch, match="every 5 minutes, as archived, got frames every 10"):
        archive.append(FrameSequence(rain.rain_rate[:1], rain.valid_times[:1], _GRID, 10, "RY"))
    other = _rain(1, grid=Grid("small", (12, 10), 2.0))
    archive.append(other)
    assert len(archive.products()) == 2
    with pytest.raises(UnknownProduct, match="expected one of RY on small-"):
        archive.read("RY", "radolan", _START, _START)


def test_retention_forgets_whole_days_and_parts(archive: Archive) -> None:
    rain = _rain(12)
    _add_packed(archive, rain)
    archive.append(_rain(1, start=rain.valid_times[-1] + _FIVE))
    assert archive.forget_before(rain.valid_times[8]) == 8
    assert archive.times("RY", _GRID.key) == [*rain.valid_times[8:], rain.valid_times[-1] + _FIVE]
    assert archive.forget_before(rain.valid_times[8]) == 0
    assert archive.forget_before(_START + timedelta(days=9)) == 5
    assert archive.products() == []


def test_retention_of_one_product_leaves_the_others(archive: Archive) -> None:
    rain = _rain(2)
    archive.append(rain)
    archive.append(replace(rain, product="YW"))
    assert archive.forget_before(_START + timedelta(days=9), "YW") == 2
    assert archive.products() == [("RY", _GRID.key)]


def test_a_damaged_day_goes_when_all_of_it_is_too_old(archive: Archive) -> None:
    rain = _rain(2)
    _add_packed(archive, rain)
    packed = next(archive.root.rglob("*.nc"))
    packed.write_bytes(packed.read_bytes()[:500])
    with pytest.raises(UnreadableFile, match=packed.name):
        archive.forget_before(rain.valid_times[1])
    assert packed.exists()
    assert archive.forget_before(_START + timedelta(days=2)) == 0
    assert not packed.exists()


@pytest.mark.parametrize("pack", [False, True])
def test_a_damaged_file_is_named(archive: Archive, pack: bool) -> None:
    archive.append(_rain(2))
    if pack:
        archive.pack(date(2024, 5, 1))
    path = next(archive.root.rglob("*.nc"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match=path.name):
        _all(archive)


def test_a_damaged_day_is_in_nobody_elses_way(archive: Archive) -> None:
    rain = _rain(12)  # across midnight
    archive.append(rain)
    for day in (date(2024, 5, 1), date(2024, 5, 2)):
        archive.pack(day)
    (path,) = archive.root.rglob("2024-05-01.nc")
    path.write_bytes(b"damaged")
    later = rain.valid_times[-1] + timedelta(minutes=5)
    assert archive.append(replace(_rain(1), valid_times=(later,))) == 1
    known = [time for time in rain.valid_times if time.day == 2]
    assert archive.times(rain.product, rain.grid.key, known[0], later) == [*known, later]
    with pytest.raises(UnreadableFile, match=path.name):
        _all(archive)


def test_a_damaged_frame_is_named_by_its_time(archive: Archive) -> None:
    rain = _rain(1)
    archive.append(rain)
    path = next(archive.root.rglob("*.nc"))
    chunk = archived(rain.rain_rate[0], _START).chunk
    whole = path.read_bytes()
    assert whole.count(chunk) == 1
    path.write_bytes(whole.replace(chunk, chunk[:20] + b"\xff" * 20 + chunk[40:]))
    with pytest.raises(UnreadableFile, match="2024-05-01T23:30:00Z"):
        _all(archive)


class _Killed(BaseException):
    """What no handler of errors catches."""


@pytest.mark.parametrize("done", [False, True], ids=["before the rename", "after the rename"])
@pytest.mark.parametrize("change", ["append", "pack", "correct"])
def test_a_kill_around_the_rename_loses_and_doubles_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, change: str, done: bool
) -> None:
    rain, other = _rain(4), _rain(4, seed=1)
    archive.append(
        _rain(4)
        if change != "append"
        else replace(rain.last(2), rain_rate=rain.rain_rate[:2], valid_times=rain.valid_times[:2])
    )
    changes: dict[str, Callable[[], object]] = {
        "append": lambda: archive.append(rain),
        "pack": lambda: archive.pack(date(2024, 5, 1)),
        "correct": lambda: _add_packed(archive, other),
    }

    def killed(temporary: Path, path: Path) -> None:
        if done:
            temporary.replace(path)
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(radar.archive.file, "commit", killed)
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # a killed process tidies nothing up
        with pytest.raises(_Killed):
            changes[change]()
    kept = _all(archive)
    wanted = other if change == "correct" and done else rain
    np.testing.assert_array_equal(kept.rain_rate, wanted.rain_rate[: len(kept)])
    changes[change]()
    archive.pack(date(2024, 5, 1))
    np.testing.assert_array_equal(_all(archive).rain_rate, (other if change == "correct" else rain).rain_rate)
    assert archive.manifest()["series"][0]["corrections"] == (4 if change == "correct" else 0)
    assert [path.name for path in archive.root.rglob("*.part")] == []
    assert len(list(archive.root.rglob("*.nc"))) == 1


def test_a_folder_that_goes_while_it_is_read_is_an_empty_one(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    rain = _rain(2, seed=9)
    archive.append(rain)
    day = next(archive.days("RY", _GRID.key))
    listed = Path.iterdir

    def packed_before_it_is_listed(folder: Path) -> Iterator[Path]:
        if folder == day.loose_folder and folder.exists():
            with monkeypatch.context() as patch:
                patch.setattr(Path, "iterdir", listed)
                day.pack()
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", packed_before_it_is_listed)
    assert day.times() == list(rain.valid_times)
    assert not day.loose_folder.exists()


_WRITER = """
import sys
from datetime import UTC, datetime, timedelta
import numpy as np
from radar.archive.archive import Archive
from radar.grid import Grid
from radar.sequence import FrameSequence
root, first = sys.argv[1], int(sys.argv[2])
archive, grid = Archive(root), Grid("small", (12, 10), 1.0)
for k in range(first, 60, 2):
    time = datetime(2024, 5, 1, tzinfo=UTC) + timedelta(minutes=5 * k)
    rain = np.full((1, 12, 10), k, np.float32)
    archive.append(FrameSequence(rain, (time,), grid, 5, "RY"))
    archive.append(FrameSequence(rain, (time,), grid, 5, "RY"))
    if k % 7 == 0:
        archive.pack(time.date())
"""


@pytest.fixture
def writers(archive: Archive) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two processes that write, ended with the test, however it ends."""
    started = [subprocess.Popen([sys.executable, "-c", _WRITER, archive.root, str(k)]) for k in range(2)]
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_two_processes_write_while_a_third_reads(archive: Archive, writers: list[subprocess.Popen[bytes]]) -> None:
    seen = 0
    while any(writer.poll() is None for writer in writers):
        if not archive.products():
            continue
        times = archive.times("RY", _GRID.key)
        assert len(times) >= seen, "a frame was lost to a reader"
        assert sum(len(run) for run in archive.iter_days("RY", _GRID.key)) >= len(times)
        seen = len(times)
    assert [writer.wait() for writer in writers] == [0, 0]
    archive.pack(date(2024, 5, 1))
    rain = _all(archive).rain_rate
    np.testing.assert_array_equal(rain[:, 0, 0], np.arange(60))
    assert archive.manifest()["series"][0]["corrections"] == 0
