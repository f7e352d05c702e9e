"""The published data sets, each from tiny files in its real format."""

from __future__ import annotations

import gzip
import json
import pickle
import re
import shutil
import struct
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
import torch

from radar.archive.archive import Archive
from radar.files.netcdf.writer import to_netcdf
from radar.files.open import open_sequence
from radar.grid import KNOWN_GRIDS, Grid
from radar.rain import RainScaling
from radar.synthetic import Weather, storm_sequence
from training.config.config import make_config
from training.data import DATASETS, open_dataset
from training.data.germany import resized, window_starts
from training.fit.loop import fit
from training.prepare.prepare import prepare


def write_idx(path: Path, count: int = 12) -> Path:
    images = np.zeros((count, 28, 28), np.uint8)
    for k, image in enumerate(images):
        cv2.putText(image, str(k % 10), (4, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255,), 3)
    content = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape) + images.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_taxibj(folder: Path) -> None:
    for year in (13, 14, 15, 16):
        dates, values = [], []
        for day in (1, 2, 4):  # the third is missing
            for slot in range(1, 49 if day != 2 or year != 14 else 40):  # and one is not whole
                dates.append(f"20{year}03{day:02d}{slot:02d}".encode())
                values.append(np.full((2, 32, 32), len(dates) - 3, np.float64))
        with h5py.File(folder / f"BJ{year}_M32x32_T30_InOut.h5", "w") as file:
            file["data"], file["date"] = np.stack(values), np.array(dates)


def write_video(path: Path, frames: int) -> None:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (160, 120))
    for k in range(frames):
        video.write(np.full((120, 160, 3), 5 * k, np.uint8))
    video.release()


def write_kth(folder: Path) -> None:
    write_video(folder / "person01_running_d1_uncomp.avi", 45)
    write_video(folder / "person02_boxing_d1_uncomp.avi", 25)
    write_video(folder / "person25_running_d2_uncomp.avi", 21)
    (folder / "person17_walking_d3_uncomp").mkdir()
    for k in range(20):
        cv2.imwrite(str(folder / "person17_walking_d3_uncomp" / f"{k:03d}.png"), np.full((120, 160), 10 * k, np.uint8))


def write_event(path: Path, frames: int, end: datetime, seed: int = 1, size: tuple[int, int] = (40, 48)) -> Path:
    radklim = KNOWN_GRIDS["radklim"]
    grid = Grid("small", size, 1.0, radklim.projection, radklim.north_west)
    storm = storm_sequence(
        grid, frames, seed=seed, end_time=end, weather=Weather(wet_fraction=0.5, missing_sector=True)
    )
    path.write_bytes(to_netcdf(replace(storm, product="RY")))
    return path


def write_germany(folder: Path) -> None:
    write_event(folder / "a.nc", 20, datetime(2014, 7, 1, 12, tzinfo=UTC), 1)
    write_event(folder / "b.nc", 20, datetime(2015, 7, 1, 12, tzinfo=UTC), 2)
    write_event(folder / "c.nc", 20, datetime(2016, 7, 1, 12, tzinfo=UTC), 3)


def write_archive(files: Path, root: Path) -> None:
    files.mkdir()
    for day in (1, 2, 3):
        write_event(files / f"{day}.nc", 20, datetime(2014, 7, day, 12, tzinfo=UTC), day)
    prepare([files], root, show=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets")
    for name in DATASETS:
        (folder / name).mkdir()
    write_idx(folder / "moving-mnist" / "train-images-idx3-ubyte.gz")
    published = np.random.default_rng(1).integers(0, 256, (20, 3, 64, 64), np.uint8)
    np.save(folder / "moving-mnist" / "mnist_test_seq.npy", published)
    write_taxibj(folder / "taxibj")
    write_kth(folder / "kth")
    write_germany(folder / "germany")
    write_archive(folder / "files", folder / "archive")
    return folder


OPTIONS: dict[str, dict[str, Any]] = {"taxibj": {"test_frames": 48}}
LENGTHS = {"archive": (5, 12), "moving-mnist": (10, 10), "taxibj": (4, 4), "kth": (10, 10), "germany": (5, 12)}
SIZES = {"archive": (40, 48), "moving-mnist": (64, 64), "taxibj": (32, 32), "kth": (88, 88), "germany": (40, 48)}


@pytest.mark.parametrize("part", ["train", "validation", "test"])
@pytest.mark.parametrize("name", DATASETS)
def test_sequences_have_the_published_lengths_and_sizes(name: str, part: Any, folder: Path) -> None:
    dataset = open_dataset(name, folder / name, part, **OPTIONS.get(name, {}))
    assert (dataset.input_length, dataset.leads) == LENGTHS[name]
    sequence = dataset[0]
    assert sequence.dtype == np.float32
    assert sequence.shape == (sum(LENGTHS[name]), 1, *SIZES[name])
    assert 0 <= np.nanmin(sequence) <= np.nanmax(sequence) <= 1
    assert np.nanmax(sequence) > 0
    np.testing.assert_array_equal(dataset[-len(dataset)], sequence)
    with pytest.raises(IndexError):
        dataset[len(dataset)]


@pytest.mark.parametrize("name", DATASETS)
def test_loader_workers_give_the_same_sequences(name: str, folder: Path) -> None:
    dataset = open_dataset(name, folder / name, "train", **OPTIONS.get(name, {}))
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again[0], dataset[0])
    loader: Any = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=1)  # type: ignore[arg-type]
    for k, sequence in zip(range(min(3, len(dataset))), loader, strict=False):
        np.testing.assert_array_equal(sequence, dataset[k])


@pytest.mark.parametrize("name", DATASETS)
def test_absent_files_are_named_with_where_they_come_from(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected .* got none; get .* put (it|them) there"):
        open_dataset(name, tmp_path, "test" if name == "moving-mnist" else "train")


@pytest.mark.parametrize("name", DATASETS)
def test_unknown_options_and_parts_are_named(name: str, folder: Path) -> None:
    with pytest.raises(ValueError, match="got lenght"):
        open_dataset(name, folder / name, "train", lenght=3)
    with pytest.raises(ValueError, match="train, validation, test"):
        open_dataset(name, folder / name, "exam")  # type: ignore[arg-type]


CONFIG: dict[str, Any] = {
    "name": "tiny",
    "network": {"cell": "convlstm", "scales": [0, 1, 0], "channels": 4},
    "loss": {"name": "mse+mae", "frames": "all"},
    "sampling": "scheduled",
    "optimiser": {"iterations": 2, "batch": 2, "crop": 32, "validate_every": 2},
}


@pytest.mark.parametrize("name", DATASETS)
def test_fit_runs_on_each(name: str, folder: Path, tmp_path: Path) -> None:
    input_length, leads = LENGTHS[name]
    data = {"dataset": name, "options": OPTIONS.get(name, {}), "symmetries": False}
    framing = {"input_length": input_length}
    config = make_config(CONFIG | {"data": data, "framing": framing, "leads": leads})
    assert fit(config, folder / name, tmp_path / "run").is_file()
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [entry["iteration"] for entry in log] == [0, 2]


def test_radar_data_sets_can_be_learnt_in_lagrangian_coordinates(folder: Path, tmp_path: Path) -> None:
    framing = {"coordinates": "lagrangian", "base": "smoothed"}
    changes = {"data": {"dataset": "germany"}, "framing": framing, "leads": 12, "loss": {}, "sampling": "none"}
    assert fit(make_config(CONFIG | changes), folder / "germany", tmp_path / "run").is_file()
    changes |= {"data": {"dataset": "kth"}, "framing": framing | {"input_length": 10}, "leads": 10}
    with pytest.raises(ValueError, match="data without rain"):
        fit(make_config(CONFIG | changes), folder / "kth", tmp_path / "other")


def test_moving_digits_stay_themselves_move_steadily_and_bounce(folder: Path) -> None:
    dataset = open_dataset("moving-mnist", folder / "moving-mnist", "train", digits=1, input_length=30)
    for index in range(5):
        frames = dataset[index][:, 0]
        np.testing.assert_allclose(frames.sum(axis=(1, 2)), frames[0].sum(), rtol=1e-4)  # never cut off
        rows, columns = np.mgrid[:64, :64]
        centres = np.stack([[(f * axis).sum() / f.sum() for axis in (rows, columns)] for f in frames])
        speeds = np.linalg.norm(np.diff(centres, axis=0), axis=1)
        assert speeds.max() < 7
        assert np.median(speeds) > 1
    assert not np.array_equal(dataset[0], dataset[1])
    other = open_dataset("moving-mnist", folder / "moving-mnist", "train", digits=1, input_length=30, seed=1)
    assert not np.array_equal(dataset[0], other[0])


def test_the_published_test_set_is_read_as_it_is(folder: Path) -> None:
    published = np.load(folder / "moving-mnist" / "mnist_test_seq.npy")
    dataset = open_dataset("moving-mnist", folder / "moving-mnist", "test")
    assert len(dataset) == 3
    np.testing.assert_allclose(dataset[2][:, 0] * 255, published[:, 2], atol=1e-4)


def test_taxibj_sequences_have_no_gap_and_the_training_part_sets_the_scale(folder: Path) -> None:
    train = open_dataset("taxibj", folder / "taxibj", "train", test_frames=48)
    # whole days: 1, 2 and 4 of 2013, 2015, 2016 and 1 and 4 of 2014, the last of all for testing; day 1 goes on into 2
    assert len(train) == (89 + 41) + (41 + 41) + (89 + 41) + 89
    steps = np.array([np.diff(train[k][:, 0, 0, 0]) for k in range(len(train))])
    np.testing.assert_allclose(steps[steps > 0], 1 / 141, rtol=1e-3)  # 0 to 141: negative numbers count as 0
    test = open_dataset("taxibj", folder / "taxibj", "test", test_frames=48)
    assert len(test) == 41
    assert test[0].max() <= 1


def test_kth_is_split_by_person(folder: Path) -> None:
    kth = folder / "kth"
    assert len(open_dataset("kth", kth, "train")) == 2 + 1
    assert len(open_dataset("kth", kth, "test")) == 1 + 1
    assert len(open_dataset("kth", kth, "train", actions=("running",), leads=20)) == 1
    second = open_dataset("kth", kth, "train")[1]
    np.testing.assert_allclose(second[:, 0, 40, 40] * 255, 5 * np.arange(20, 40), atol=3)
    pictures = open_dataset("kth", kth, "test", actions=("walking",))[0]
    np.testing.assert_allclose(pictures[:, 0, 0, 0] * 255, 10 * np.arange(20), atol=1e-3)


def test_the_authors_germany_is_every_sixth_frame_in_124_pixels(tmp_path: Path) -> None:
    write_event(tmp_path / "a.nc", 12 * 12, datetime(2014, 7, 1, 12, tzinfo=UTC), size=(90, 100))
    dataset = open_dataset("germany", tmp_path, "train", protocol="authors")
    assert len(dataset) == 2  # 24 half hours hold two windows of ten
    assert dataset[0].shape == (10, 1, 124, 124)
    whole = open_sequence([tmp_path / "a.nc"])
    times = [time for time in whole.valid_times if time.minute in (0, 30)]
    frame = RainScaling().to_network(whole.rain_rate[whole.valid_times.index(times[3])])
    np.testing.assert_array_equal(dataset[0][3, 0], resized(frame, 124))
    assert 0 < np.isnan(dataset[0]).mean() < 0.5


def test_resizing_keeps_missing_pixels_missing_and_values_between_their_neighbours() -> None:
    frame = np.full((10, 10), 0.4, np.float32)
    frame[:, 5:] = np.nan
    small = resized(frame, 5)
    assert np.isnan(small[:, 3:]).all()
    np.testing.assert_allclose(small[:, :2], 0.4, rtol=1e-6)


def test_windows_never_cross_a_gap() -> None:
    step = timedelta(minutes=5)
    times = [datetime(2014, 1, 1, tzinfo=UTC) + k * step for k in (0, 1, 2, 4, 5, 6, 7, 8, 20)]
    assert window_starts(times, step, 3, 3) == [times[0], times[3]]
    assert window_starts(times, step, 3, 1) == [times[0], times[3], times[4], times[5]]


def test_years_part_the_data(folder: Path) -> None:
    germany = folder / "germany"
    assert len(open_dataset("germany", germany, "train")) == 1
    assert len(open_dataset("germany", germany, "train", years=[2014, 2015, 2016], stride=3)) == 6
    with pytest.raises(ValueError, match="expected sequences of 17 frames"):
        open_dataset("germany", germany, "test", years=[1999])


def test_the_archive_gives_what_the_files_gave(folder: Path, tmp_path: Path) -> None:
    whole = open_sequence([folder / "germany" / "a.nc"])
    Archive(tmp_path).append(replace(whole, product="RY"))
    archived = open_dataset("germany", tmp_path, "train")
    np.testing.assert_allclose(archived[0], open_dataset("germany", folder / "germany", "train")[0], atol=2e-2)


@pytest.mark.parametrize("name", ["yw_20170816", "ry_20200101"])
def test_real_files_of_dwd(name: str, real_data: Path) -> None:
    dataset = open_dataset("germany", real_data / "dwd" / name, "test", leads=6, years=[2017, 2020])
    expected = open_sequence(sorted((real_data / "dwd" / name).iterdir()))
    units = RainScaling().to_network(expected.rain_rate[:11])
    np.testing.assert_array_equal(dataset[0][:, 0], units)


def test_the_configuration_of_the_documentation_is_whole(folder: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "how-to" / "train-on-data-sets.md").read_text()
    (shown,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    config = make_config(tomllib.loads(shown))
    data = config.data
    dataset = open_dataset(data.dataset, folder / data.dataset, "train", leads=config.leads, **data.options)
    assert dataset[0].shape == (config.framing.input_length + config.leads, 1, config.optimiser.crop, 64)


def test_damaged_files_are_named(folder: Path, tmp_path: Path) -> None:
    for name in ("moving-mnist", "taxibj", "kth"):
        shutil.copytree(folder / name, tmp_path / name)
    damaged = {
        "moving-mnist": "train-images-idx3-ubyte.gz",
        "taxibj": "BJ15_M32x32_T30_InOut.h5",
        "kth": "person01_running_d1_uncomp.avi",
    }
    for name, file in damaged.items():
        (tmp_path / name / file).write_bytes(b"nothing of the kind")
        with pytest.raises(ValueError, match=file):
            open_dataset(name, tmp_path / name, "train", **OPTIONS.get(name, {}))
    (tmp_path / "moving-mnist" / "mnist_test_seq.npy").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="mnist_test_seq"):
        open_dataset("moving-mnist", tmp_path / "moving-mnist", "test")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_moving_digits_are_learnt(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", 60)
    config = make_config(
        {
            "name": "digits",
            "leads": 10,
            "network": {"cell": "convlstm", "scales": [0, 1, 2, 2, 1, 0], "channels": 16, "patch": 4},
            "framing": {"input_length": 10},
            "data": {"dataset": "moving-mnist", "symmetries": False},
            "loss": {"name": "mse+mae", "frames": "all"},
            "optimiser": {
                "iterations": 250,
                "batch": 8,
                "crop": 64,
                "validate_every": 50,
                "learning_rate": 2e-3,
                "average_decay": 0.95,
            },
        }
    )
    fit(config, tmp_path, tmp_path / "run")
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    first, last = log[0], log[-1]
    assert last["validation_loss"] < 0.5 * first["validation_loss"]
    assert last["validation_loss"] < 0.95 * last["validation_base_loss"], "no better than frames without digits"
