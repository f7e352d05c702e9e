"""`hindcast`: every start of an archive forecast and scored, by how many workers and after whatever kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import xarray as xr

from models.aliases import read_aliases
from models.baselines import BASELINES
from models.onnx_forecaster import load_forecaster
from models.repository import PRETRAINED, champions
from radar.archive.archive import Archive
from radar.counts import STORED
from radar.errors import InvalidRequest, UnreadableFile
from radar.grid import KNOWN_GRIDS, Grid
from radar.ledger.ledger import model_reference
from radar.scores.pixels import contingency, csi
from radar.synthetic import Weather, storm_sequence
from tests.models.test_baselines import Dry
from training.__main__ import main
from training.dask_pool import pool
from training.evaluate.score_event import part
from training.hindcast.hindcast import hindcast, scores_file
from training.hindcast.plan import HindcastQuestion, possible_starts
from training.hindcast.task import kept_as
from training.prepare.prepare import prepare

_RADKLIM = KNOWN_GRIDS["radklim"]
_GRID = Grid("small", (48, 64), 1.0, _RADKLIM.projection, _RADKLIM.north_west)
_MODEL = PRETRAINED / "ms-convlstm"
_REFERENCE = model_reference("ms-convlstm", read_aliases(PRETRAINED, "ms-convlstm").champion)
_START = datetime(2024, 5, 1, 22, tzinfo=UTC)
_FIVE = timedelta(minutes=5)
_GAP = 30
"""Of the 60 frames one is missing, so that they begin anew."""
_QUESTION = HindcastQuestion(lead_minutes=15, thresholds=(0.1, 1.0))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames of a storm, of which some pixels and one frame are missing, over midnight."""
    weather = Weather(wet_fraction=0.4, missing_sector=True)
    storm = storm_sequence(_GRID, 60, seed=3, end_time=_START + 59 * _FIVE, product="RY", weather=weather)
    root = tmp_path_factory.mktemp("hindcast") / "archive"
    for first, count in ((0, _GAP), (_GAP + 1, 60 - _GAP - 1)):
        Archive(root).append(part(storm, first, count))
    return root


@pytest.fixture(scope="module")
def alone(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store that one process makes."""
    out = tmp_path_factory.mktemp("alone") / "hindcast.zarr"
    done = hindcast(_MODEL, archive, out, _QUESTION, show=False)
    assert (done.made, done.done_before, done.failed) == (59 - 2 * 4, 0, ())
    return out


def _contents(out: Path) -> dict[str, bytes]:
    """Every byte of a store, and of its scores."""
    files = [*(path for path in sorted(out.rglob("*")) if path.is_file()), scores_file(out)]
    return {str(path.relative_to(out.parent)).replace(out.name, ""): path.read_bytes() for path in files}


def _command(archive: Path, out: Path, *more: str) -> list[str]:
    asked = ["--lead-minutes", "15", "--thresholds", "0.1,1"]
    return [sys.executable, "-m", "training", "hindcast", str(_MODEL), str(archive), "--out", str(out), *asked, *more]


def _starts(store: xr.Dataset) -> list[datetime]:
    seconds = store.start.values.astype("datetime64[s]").astype(int)
    return [datetime.fromtimestamp(int(second), UTC) for second in seconds]


def _whole(out: Path) -> int:
    """How many starts of a store are there."""
    return len(list((out / "sums").glob("*.0.0.0"))) if out.exists() else 0


def _wait_for(out: Path, starts: int, run: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while _whole(out) < starts and run.poll() is None:
        assert time.monotonic() < deadline, "no start was done in two minutes"
        time.sleep(0.01)


def test_the_store_holds_what_the_model_says_of_every_start(archive: Path, alone: Path) -> None:
    forecaster = load_forecaster(champions(PRETRAINED)["ms-convlstm"], "cpu", threads=1)
    with xr.open_zarr(alone) as store:
        assert store.rainfall_rate.dims == ("start", "lead", "y", "x")
        assert store.rainfall_rate.attrs["units"] == "mm h-1"
        assert store.lead.values.tolist() == [5, 10, 15]
        assert store.crs.attrs["grid_mapping_name"] == "polar_stereographic"
        starts = _starts(store)
        assert starts[0] == _START + 4 * _FIVE
        index = 26  # the first after the gap
        assert starts[index] == _START + (_GAP + 5) * _FIVE
        past = Archive(archive).read("RY", _GRID.key, starts[index] - 4 * _FIVE, starts[index])
        wanted = STORED.to_rates(kept_as(forecaster.forecast(past, 3).rain_rate)[0])
        found = store.rainfall_rate[index].values
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert np.isnan(found).any()
    assert (found > 0.1).any()


def test_scores_are_those_of_the_stored_forecasts_on_what_was_observed(archive: Path, alone: Path) -> None:
    report = json.loads(scores_file(alone).read_text())
    rows = {(row["forecaster"], row["lead_minutes"], row["threshold"]): row for row in report["scores"]}
    assert {key[0] for key in rows} == {_REFERENCE, "persistence", "extrapolation", "sprog-cdf", "sprog-mean"}
    times = set(Archive(archive).times("RY", _GRID.key))
    total, frames = None, 0
    with xr.open_zarr(alone) as store:
        for index, start in enumerate(_starts(store)):
            valid = start + 2 * _FIVE
            if valid in times:
                observed = Archive(archive).read("RY", _GRID.key, valid, valid).rain_rate[0]
                said = store.rainfall_rate[index, 1].values.astype(np.float32)
                last = Archive(archive).read("RY", _GRID.key, valid - 2 * _FIVE, valid - 2 * _FIVE).rain_rate[0]
                observed = np.where(np.isnan(last), np.float32(np.nan), observed)
                table = contingency(said, observed, 1.0)
                total, frames = (table if total is None else total + table), frames + 1
    assert total is not None
    row = rows[_REFERENCE, 10, 1.0]
    assert row["frames"] == frames == 51 - 1 - 2  # one is missing in the gap, two at the end
    assert row["csi"] == pytest.approx(csi(total), abs=1e-9)
    assert all(rows[name, 10, 1.0]["pixels"] == row["pixels"] for name, _, _ in rows)


def test_gaps_are_left_out_and_listed(alone: Path) -> None:
    report = json.loads(scores_file(alone).read_text())
    assert report["left_out"] == [
        {"first": "2024-05-01T22:00:00Z", "last": "2024-05-01T22:15:00Z", "starts": 4},
        {"first": "2024-05-02T00:30:00Z", "last": "2024-05-02T00:50:00Z", "starts": 5},
    ]


def test_starts_need_their_frames_and_keep_their_stride_over_gaps() -> None:
    times = [_START + k * _FIVE for k in range(20) if k != 7]
    assert [(t - _START) // _FIVE for t in possible_starts(times, _FIVE, 3, 1)] == [2, 3, 4, 5, 6, *range(10, 20)]
    assert [(t - _START) // _FIVE for t in possible_starts(times, _FIVE, 3, 4)] == [4, 12, 16]


def test_what_is_whole_is_not_done_again(archive: Path, alone: Path) -> None:
    before = _contents(alone)
    done = hindcast(_MODEL, archive, alone, _QUESTION, show=False)
    assert (done.made, done.done_before) == (0, 51)
    assert _contents(alone) == before


def test_a_store_of_other_baselines_is_refused(archive: Path, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _contents(alone)
    monkeypatch.setitem(BASELINES, "dry", Dry())
    with pytest.raises(InvalidRequest, match=r"hindcast\.zarr with 6 forecasters .* got one with 5"):
        hindcast(_MODEL, archive, alone, _QUESTION, show=False)
    assert _contents(alone) == before


def test_a_start_whose_frames_are_damaged_is_named_and_the_others_are_done(archive: Path, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    frames = Archive(archive).read("RY", _GRID.key, _START, _START + 9 * _FIVE)
    Archive(root).append(frames)
    out, question = tmp_path / "h.zarr", HindcastQuestion(lead_minutes=5)
    hindcast(_MODEL, root, tmp_path / "sound.zarr", question, show=False)
    damaged = root / "RY" / _GRID.key / "2024/2024-05-01/220000.nc"
    data = bytearray(damaged.read_bytes())
    place = data.index(Archive(root).days("RY", _GRID.key).__next__().frames(_START, _START)[0].chunk)
    data[place + 20 : place + 60] = bytes(40)
    damaged.write_bytes(bytes(data))
    done = hindcast(_MODEL, root, out, question, show=False)
    assert done.made == 5
    assert [failure.start for failure in done.failed] == [_START + 4 * _FIVE]
    assert "expected a sound frame in the archive" in json.loads(scores_file(out).read_text())["failed"][0]["error"]
    damaged.unlink()
    Archive(root).append(part(frames, 0, 1))
    assert hindcast(_MODEL, root, out, question, show=False).made == 1
    assert _contents(out) == _contents(tmp_path / "sound.zarr")


def test_damaged_sums_are_named(archive: Path, alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "h.zarr"
    shutil.copytree(alone, out)
    before = _contents(alone)
    (out / "sums/7.0.0.0").write_bytes(b"no sums")
    with pytest.raises(UnreadableFile, match="the sums of start 7 in the store"):
        hindcast(_MODEL, archive, out, _QUESTION, show=False)
    (out / "sums/7.0.0.0").unlink()
    assert hindcast(_MODEL, archive, out, _QUESTION, show=False).made == 1
    assert _contents(out) == before


def test_a_worker_of_several_threads_gives_the_same(archive: Path, alone: Path, tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    out, threads = tmp_path / "h.zarr", cv2.getNumThreads()
    cluster = LocalCluster(n_workers=1, threads_per_worker=3, processes=False, dashboard_address=None)
    with cluster, Client(cluster) as client:
        done = hindcast(_MODEL, archive, out, _QUESTION, client=client, show=False)
    assert (done.made, done.failed) == (51, ())
    assert _contents(out) == _contents(alone)
    assert cv2.getNumThreads() == threads


def test_a_forecast_that_is_all_missing_is_kept_and_not_made_again(archive: Path, tmp_path: Path) -> None:
    root, out, question = tmp_path / "archive", tmp_path / "h.zarr", HindcastQuestion(lead_minutes=5)
    frames = Archive(archive).read("RY", _GRID.key, _START, _START + 5 * _FIVE)
    Archive(root).append(replace(frames, rain_rate=np.full_like(frames.rain_rate, np.nan)))
    assert hindcast(_MODEL, root, out, question, show=False).made == 2
    done = hindcast(_MODEL, root, out, question, show=False)
    assert (done.made, done.done_before) == (0, 2)
    assert {row["csi"] for row in done.rows} == {None}
    with xr.open_zarr(out) as store:
        assert np.isnan(store.rainfall_rate).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--lead-minutes", "7"], "a longest lead time that is a multiple of 5 minutes, got 7 minutes"),
        (["--lead-minutes", "9000"], "steps of 5 minutes for model ms-convlstm, got 1800"),
        (["--thresholds", "1,0.1"], "thresholds above 0 mm/h, each once, in order, got 1, 0.1"),
        (["--product", "YW"], f"one series of RY on {_GRID.key}, got YW on any grid, which are 0; did you mean RY?"),
        (["--workers", "1", "--dask", "tcp://127.0.0.1:1"], "expected --workers or --dask, got both"),
        (["--out", "nowhere/at/all.zarr"], "a folder for all.zarr, got none"),
        (["--out", "ARCHIVE"], "the store of a hindcast, or nothing yet, got something else"),
        (["--out", "ALONE"], "hindcast.zarr of this hindcast: stride 2"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    change: list[str],
    said: str,
    archive: Path,
    alone: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"ARCHIVE": str(archive), "ALONE": str(alone)}
    change = [places.get(word, word) for word in change]
    more = ["--stride", "2"] if str(alone) in change else []
    local = [] if "--workers" in change else ["--workers", "0"]
    command = _command(archive, tmp_path / "new.zarr", *local, *more, *change)
    monkeypatch.setattr(sys, "argv", command[2:])
    assert main() == 1
    error = capsys.readouterr().err
    assert error.startswith("error: expected ")
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "new.zarr").exists()


@pytest.mark.parametrize("name", ["none.onnx", "."])
def test_what_is_no_model_is_said(name: str, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"expected a model: an .onnx file, or its folder in a repository"):
        hindcast(tmp_path / name, archive, tmp_path / "h.zarr", show=False)


def test_a_cluster_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.dask_pool._PATIENCE_SECONDS", 0.5)
    with (
        pytest.raises(Exception, match=r"expected a Dask scheduler that answers at tcp://127.0.0.1:1"),
        pool("tcp://127.0.0.1:1", None),
    ):
        pass


_CLUSTER = """
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


@contextmanager
def _cluster(folder: Path) -> Iterator[str]:
    """The address of a cluster of two worker processes."""
    script = folder / "cluster.py"
    script.write_text(_CLUSTER)
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cluster:
        assert cluster.stdout is not None
        try:
            yield cluster.stdout.readline().decode().strip()
        finally:
            cluster.communicate(b"\n", timeout=60)


@pytest.mark.slow
def test_two_workers_of_which_one_is_killed_give_the_store_of_one_process(
    archive: Path, alone: Path, tmp_path: Path
) -> None:
    from distributed import Client

    out = tmp_path / "hindcast.zarr"
    with _cluster(tmp_path) as address:
        with Client(address) as client:
            first = next(iter(client.run(os.getpid).values()))
        run = subprocess.Popen(_command(archive, out, "--dask", address), stderr=subprocess.PIPE)
        _wait_for(out, 3, run)
        assert run.poll() is None, "the run ended before a worker was killed"
        os.kill(first, signal.SIGKILL)
        _, error = run.communicate(timeout=120)
    assert run.returncode == 0, error
    assert _contents(out) == _contents(alone)


@pytest.mark.slow
def test_a_run_of_two_workers_that_is_killed_and_resumed_ends_like_an_unbroken_one(
    archive: Path, alone: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hindcast.zarr"
    run = subprocess.Popen(_command(archive, out, "--workers", "2"), stderr=subprocess.DEVNULL)
    _wait_for(out, 5, run)
    run.kill()
    run.wait()
    there = _whole(out)
    assert 5 <= there < 51
    done = subprocess.run(_command(archive, out, "--workers", "2"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert " done before, 0 failed; 9 left out" in done.stdout
    assert "0 done before" not in done.stdout
    assert _contents(out) == _contents(alone)


@pytest.mark.slow
def test_twelve_real_frames_by_two_workers_have_the_scores_of_one_process(real_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "archive"
    assert prepare([real_data / "dwd" / "yw_20170816"], root, show=False).frames == 12
    alone, out = tmp_path / "alone.zarr", tmp_path / "two.zarr"
    done = hindcast(_MODEL, root, alone, HindcastQuestion(10, 3, (0.1, 1.0)), show=False)
    assert (done.made, done.failed) == (2, ())
    assert all(0 < row["csi"] < 1 for row in done.rows if row["threshold"] == 1)
    two = subprocess.run(
        _command(root, out, "--workers", "2", "--lead-minutes", "10", "--stride", "3"), capture_output=True, text=True
    )
    assert two.returncode == 0, two.stderr
    assert _contents(out) == _contents(alone)
