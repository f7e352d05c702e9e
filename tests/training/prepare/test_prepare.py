"""`prepare`: years of files into the archive, whatever they are, whoever is killed, in bounded memory."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr

from radar.archive.archive import Archive
from radar.demo import radolan_name
from radar.files.netcdf.writer import to_netcdf
from radar.files.odim import write_odim
from radar.files.open import open_sequence
from radar.files.radolan import write_radolan
from radar.files.rv import write_archive
from radar.frame import Frame, frames_of
from radar.grid import KNOWN_GRIDS
from radar.sequence import FrameSequence
from radar.synthetic import storm_sequence
from training.prepare.prepare import prepare, read_journal

_RADOLAN = KNOWN_GRIDS["radolan"]
_START = datetime(2019, 6, 1, tzinfo=UTC)
_FIVE = timedelta(minutes=5)


def _storm(count: int, grid: str = "radolan", product: str = "RY") -> FrameSequence:
    end = _START + _FIVE * (count - 1)
    return storm_sequence(KNOWN_GRIDS[grid], count, seed=1, end_time=end, timestep_minutes=5, product=product)


def _write_files(folder: Path, storm: FrameSequence, count: int) -> Path:
    """`count` RY files, 5 minutes apart, whose fields recur; only the headers' times are new."""
    folder.mkdir()
    binaries: list[bytes] = []
    for k in range(count):
        rain = storm.rain_rate[k % len(storm)]
        if k < len(storm):
            binaries.append(write_radolan(Frame(rain, _START, storm.grid, 5, "RY", "")))
        time = _START + _FIVE * k
        day, month = f"{time:%d%H%M}".encode(), f"{time:%m%y}".encode()
        data = re.sub(rb"^RY\d{6}(\d{5})\d{4}", b"RY%s\\g<1>%s" % (day, month), binaries[k % len(storm)])
        (folder / radolan_name(Frame(rain, time, storm.grid, 5, "RY", ""))).write_bytes(gzip.compress(data, 1, mtime=0))
    return folder


def _command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "training", "prepare", *map(str, arguments)]


def _contents(root: Path) -> dict[str, Any]:
    """All bytes of an archive, and its manifest but for times of writing."""
    manifest = json.loads(
        (root / "manifest.json").read_text(),
        object_hook=lambda said: {key: value for key, value in said.items() if key not in ("written", "modified_ns")},
    )
    return {"manifest": manifest, **{str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.nc"))}}


def _assert_archived(root: Path, wanted: FrameSequence, grid: str) -> None:
    times = wanted.valid_times
    found = Archive(root).read(wanted.product, grid, times[0], times[-1])
    np.testing.assert_array_equal(found.rain_rate, wanted.rain_rate)
    assert found.valid_times == times


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write_files(tmp_path_factory.mktemp("ry") / "files", _storm(4), 6)


def test_binaries_are_archived_to_the_bit_and_not_read_twice(binaries: Path, tmp_path: Path) -> None:
    first = prepare([binaries], tmp_path / "archive", show=False)
    assert (first.files, first.frames, first.bad) == (6, 6, ())
    _assert_archived(tmp_path / "archive", open_sequence(sorted(binaries.iterdir())), "radolan")
    before = _contents(tmp_path / "archive")
    second = prepare([binaries], tmp_path / "archive", show=False)
    assert (second.files, second.done_before) == (0, 6)
    assert _contents(tmp_path / "archive") == before


def test_a_changed_file_is_read_again_and_a_correction(binaries: Path, tmp_path: Path) -> None:
    folder, root = tmp_path / "files", tmp_path / "archive"
    folder.mkdir()
    names = sorted(path.name for path in binaries.iterdir())
    data = [gzip.decompress((binaries / name).read_bytes()) for name in names]
    (folder / names[0]).write_bytes(gzip.compress(data[0]))
    prepare([folder], root, show=False)
    header = data[1].index(b"\x03")
    (folder / names[0]).write_bytes(gzip.compress(data[0][:header] + data[1][header:]))
    assert prepare([folder], root, show=False).files == 1
    manifest = json.loads((root / "manifest.json").read_text())
    assert (manifest["series"][0]["frames"], manifest["series"][0]["corrections"]) == (1, 1)


def test_a_bad_file_is_named_and_the_others_are_archived(binaries: Path, tmp_path: Path) -> None:
    folder, root = tmp_path / "files", tmp_path / "archive"
    folder.mkdir()
    for path in binaries.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    bad = sorted(folder.iterdir())[2]
    bad.write_bytes(bad.read_bytes()[:500])
    (folder / "notes.txt").write_text("no radar data")
    (folder / "years.nc").write_bytes(b"CDF\x01 and no more")
    done = subprocess.run(_command(folder, "--out", root, "--workers", "0"), capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "5 frames archived, 0 forecasts left out; 3 bad files" in done.stdout
    assert "Traceback" not in done.stderr
    manifest = json.loads((root / "manifest.json").read_text())
    named = [Path(entry["path"]).name for entry in manifest["sources"]["bad"]]
    assert named == sorted([bad.name, "notes.txt", "years.nc"])
    assert manifest["series"][0]["gaps"] == [["2019-06-01T00:10:00Z", "2019-06-01T00:10:00Z"]]
    assert prepare([folder], root, show=False).files == 0


def test_nothing_kept_is_told_with_what_was_there_and_has_a_status(binaries: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(_command(empty, "--out", tmp_path / "a", "--workers", "0"), capture_output=True, text=True)
    assert done.returncode == 4
    assert "nothing was kept: expected observed frames of rain" in done.stderr
    assert "got no files" in done.stderr
    options = ("--out", tmp_path / "b", "--workers", "0", "--product", "RW")
    done = subprocess.run(_command(binaries, *options), capture_output=True, text=True)
    assert done.returncode == 4
    assert "product RY, not asked for" in done.stdout
    assert "nothing was kept: expected observed frames of RW" in done.stderr


def test_every_container_is_read_and_of_forecasts_only_lead_0(tmp_path: Path) -> None:
    folder, root = tmp_path / "files", tmp_path / "archive"
    folder.mkdir()
    odim, ry, rv = _storm(2, "de1200"), _storm(3), _storm(2, "de1200", "RV")
    for frame in frames_of(odim):
        (folder / f"{frame.valid_time:%Y%m%d_%H%M}_RY.h5").write_bytes(write_odim(frame))
    forecast = FrameSequence(rv.rain_rate, rv.valid_times, rv.grid, 5, "RV", rv.valid_times[0])
    (folder / "DE1200_RV1906010000.tar.bz2").write_bytes(write_archive(forecast, form="binary"))
    (folder / "forecast.nc").write_bytes(
        to_netcdf(FrameSequence(ry.rain_rate, ry.valid_times, ry.grid, 5, "F", _START - _FIVE))
    )
    klim = _storm(3, "radklim", "YW")
    (folder / "klim.nc").write_bytes(to_netcdf(klim))
    with h5py.File(folder / "rydl.h5", "w") as file:
        for frame in frames_of(ry):
            file[f"{frame.valid_time:%Y%m%d%H%M}"] = (frame.rain_rate / 12)[::-1]
    summary = prepare([folder], root, show=False)
    assert summary.bad == ()
    assert (summary.frames, summary.forecasts) == (2 + 1 + 3 + 3, 1 + 3)
    assert Archive(root).products() == [("RV", "de1200"), ("RY", "de1200"), ("RY", "radolan"), ("YW", "radklim")]
    assert Archive(root).times("RV", "de1200") == [_START]
    assert len(Archive(root).times("YW", "radklim")) == 3
    assert all(len(record.sha256) == 64 for record in read_journal(root).values())


def test_one_product_may_be_asked_for_and_the_others_later(binaries: Path, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    assert prepare([binaries], root, product="YW", show=False).frames == 0
    assert Archive(root).products() == []
    assert prepare([binaries], root, show=False).frames == 6


def test_of_several_variables_one_is_named_and_the_refused_file_is_read_again(tmp_path: Path) -> None:
    source, root = tmp_path / "event.nc", tmp_path / "archive"
    source.write_bytes(to_netcdf(_storm(2)))
    with netCDF4.Dataset(source, "a") as file:
        file.renameVariable("rainfall_rate", "raw")
        del file["raw"].standard_name
        corrected = file.createVariable("corrected", "f4", ("time", "y", "x"))
        corrected.units, corrected.grid_mapping, corrected[:] = "mm h-1", "crs", 2.4
    refused = prepare([source], root, show=False)
    assert "got raw, corrected; name one: --variable raw" in refused.bad[0].error
    named = prepare([source], root, variable="corrected", show=False)
    assert (named.frames, named.bad) == (2, ())
    assert np.unique(Archive(root).read("RY", "radolan", _START, _START + _FIVE).rain_rate).tolist() == [
        np.float32(2.4)
    ]


def test_a_tar_of_more_files_than_an_upload_may_have_loses_only_its_bad_member(binaries: Path, tmp_path: Path) -> None:
    paths = sorted(binaries.iterdir())
    archive = tmp_path / "ry-201906.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for path in paths:
            tar.add(path, f"ry/{path.name}")
        for k in range(70):
            tar.addfile(tarfile.TarInfo(f"empty{k}"), io.BytesIO())
    summary = prepare([archive], tmp_path / "archive", show=False)
    assert summary.frames == 6
    assert "and 65 more" in summary.bad[0].error
    _assert_archived(tmp_path / "archive", open_sequence(paths), "radolan")


def test_a_kill_between_a_day_and_its_line_in_the_journal_changes_nothing(binaries: Path, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    prepare([binaries], root, show=False)
    whole = _contents(root)
    journal = (root / "sources.jsonl").read_text()
    (root / "sources.jsonl").write_text(journal[: len(journal) // 2])
    (root / "manifest.json").unlink()
    assert 0 < prepare([binaries], root, show=False).files < 6
    assert _contents(root) == whole


def test_a_disk_that_fails_for_a_moment_loses_no_frame_of_a_file_that_is_done(
    binaries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_days, failed = Archive.add_days, list[OSError]()

    def full_at_first(archive: Archive, *frames: Any) -> object:
        if not failed:
            failed.append(OSError(28, "No space left on device"))
            raise failed[0]
        return add_days(archive, *frames)

    monkeypatch.setattr("training.prepare.task._FRAMES_KEPT", 2)
    monkeypatch.setattr(Archive, "add_days", full_at_first)
    first = prepare([binaries], tmp_path / "archive", show=False)
    assert len(first.bad) == 1  # the file at which it was noticed; it is read again
    done = [record for record in read_journal(tmp_path / "archive").values() if record.settled]
    assert len(done) == 5
    assert len(Archive(tmp_path / "archive").times("RY", "radolan")) >= sum(record.frames for record in done)
    assert prepare([binaries], tmp_path / "archive", show=False).bad == ()
    assert len(Archive(tmp_path / "archive").times("RY", "radolan")) == 6


def test_a_missing_source_is_one_clear_line(tmp_path: Path) -> None:
    done = subprocess.run(
        _command(tmp_path / "none", "--out", tmp_path / "a", "--workers", "0"), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: expected files or folders of radar data")


def test_real_files_are_archived_to_the_bit(real_data: Path, tmp_path: Path) -> None:
    root, dwd = tmp_path / "archive", real_data / "dwd"
    names = ["yw_20170816", "ry_20200101", "DE1200_RV2210180700.tar.bz2", "20250604_1630_RY.h5"]
    summary = prepare([dwd / name for name in names], root, show=False)
    assert (summary.frames, summary.forecasts, summary.bad) == (12 + 13 + 1 + 1, 24, ())
    for name, grid in (("yw_20170816", "radklim"), ("ry_20200101", "radolan")):
        _assert_archived(root, open_sequence(sorted((dwd / name).iterdir())), grid)
    _assert_archived(root, open_sequence([dwd / names[3]]), "de1200")
    forecast = open_sequence([dwd / names[2]])
    assert Archive(root).times("RV", "de1200") == [forecast.reference_time]
    found = Archive(root).read("RV", "de1200", forecast.valid_times[0], forecast.valid_times[0])
    np.testing.assert_array_equal(found.rain_rate, forecast.rain_rate[:1])


def test_years_open_lazily_in_xarray_and_dask(binaries: Path, tmp_path: Path) -> None:
    prepare([binaries], tmp_path / "archive", show=False)
    days = str(tmp_path / "archive/RY/radolan/*/*.nc")
    with xr.open_mfdataset(days, chunks={"time": 1}, engine="netcdf4") as dataset:
        assert dataset.rainfall_rate.chunks == ((1,) * 6, (900,), (900,))
        mean = float(dataset.rainfall_rate.mean().compute(scheduler="synchronous"))
    wanted = np.nanmean(open_sequence(sorted(binaries.iterdir())).rain_rate, dtype=np.float64)
    assert mean == pytest.approx(wanted, rel=1e-6)


_CLUSTER = """
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_given_cluster_does_the_work(binaries: Path, tmp_path: Path) -> None:
    script = tmp_path / "cluster.py"
    script.write_text(_CLUSTER)
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as cluster:
        assert cluster.stdout is not None
        address = cluster.stdout.readline().strip()
        done = subprocess.run(_command(binaries, "--out", tmp_path / "given", "--dask", address), capture_output=True)
        cluster.communicate("\n", timeout=60)
    assert done.returncode == 0, done.stderr
    prepare([binaries], tmp_path / "here", show=False)
    assert _contents(tmp_path / "given") == _contents(tmp_path / "here")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_files_stay_under_a_gigabyte_on_a_local_pool() -> None:
    benchmark = Path(__file__).parents[3] / "benchmarks" / "prepare.py"
    done = subprocess.run([sys.executable, benchmark, "--files", "1000", "--json"], capture_output=True, check=True)
    measured = json.loads(done.stdout)
    assert measured["frames"] == 1000
    assert 100 < measured["peak_rss_mb"] < 1000
    assert measured["second_run_seconds"] < 1000 / measured["files_per_second"] / 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_killed_half_way_ends_like_an_unbroken_one(tmp_path: Path) -> None:
    files = _write_files(tmp_path / "files", _storm(10), 120)
    sorted(files.iterdir())[7].write_bytes(b"bad")
    days = 6
    for k, path in enumerate(sorted(files.iterdir())):  # names that say other days than the files: more tasks to kill
        path.rename(files / f"ry-1906{1 + k % days:02d}0000-{k:03d}")
    unbroken = subprocess.run(_command(files, "--out", tmp_path / "unbroken", "--workers", "2"), capture_output=True)
    assert unbroken.returncode == 3
    draw = random.Random(os.getpid())
    broken, killed = _command(files, "--out", tmp_path / "broken", "--workers", "2"), 0
    journal = tmp_path / "broken" / "sources.jsonl"
    for lines in (1, 30, 70):
        run = subprocess.Popen(broken, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        wanted = lines + draw.randrange(20)
        while not journal.exists() or journal.read_text().count("{") < wanted:
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(0.02)
                break
        killed += run.poll() is None
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert killed >= 2, "no run was killed half-way"
    assert subprocess.run(broken, capture_output=True).returncode == 3
    assert _contents(tmp_path / "broken") == _contents(tmp_path / "unbroken")


def test_what_is_no_file_is_named_and_does_not_end_the_run(tmp_path: Path) -> None:
    radar = _write_files(tmp_path / "radar", _storm(2), 2)
    os.mkfifo(radar / "pipe")
    (radar / "zero").symlink_to("/dev/zero")
    (radar / "nothing").symlink_to("nowhere")
    (radar / "loop").symlink_to("loop")
    summary = prepare([radar], tmp_path / "archive", show=False)
    assert summary.frames == 2
    assert sorted(Path(record.path).name for record in summary.bad) == ["loop", "nothing", "pipe", "zero"]
    assert all(record.error for record in summary.bad)


def test_a_damaged_journal_costs_reading_again_and_no_more(tmp_path: Path) -> None:
    radar = _write_files(tmp_path / "radar", _storm(2), 2)
    prepare([radar], tmp_path / "archive", show=False)
    journal = tmp_path / "archive" / "sources.jsonl"
    sound = json.loads(journal.read_text().splitlines()[-1])
    bad = [{"frames": "x"}, {"found": []}, {"settled": "no"}, {"path": None}, {"product": 5}]
    lines = [json.dumps(sound | change | {"key": f"k{number}"}) for number, change in enumerate(bad)]
    with journal.open("ab") as file:
        file.write("\n".join(lines).encode() + b"\n\xff\n" + b"[" * 200_000 + b"\n")
    again = prepare([radar], tmp_path / "archive", show=False)
    assert (again.files, again.done_before, again.kept_before) == (0, 2, 2)
