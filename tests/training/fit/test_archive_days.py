"""`fit` on what `prepare` wrote, by their commands: the run, its days while the archive grows, the exported card."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.onnx_forecaster import read_card_of
from models.repository import read_manifest
from radar.files.netcdf.writer import to_netcdf
from tests.training.small_world import NOON, storm
from training.__main__ import main
from training.evaluate.seen import seen_before

CONFIG = """
name = "local"
leads = 2
description = "Rain over a small place."

[network]
cell = "convlstm"
scales = [0, 1, 0]
channels = 4

[framing]
input_length = 3
{framing}

[data]
dataset = "archive"

[data.options]
tile = 32
{options}

[optimiser]
iterations = 2
batch = 2
crop = 16
validate_every = 2
save_every = 1
warm_up = 1
"""


def training(*arguments: object) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["training", *map(str, arguments)])
        return main()


def add_day(folder: Path, day: int) -> Path:
    """An hour of rain as a file, and all files of the folder in the archive."""
    (folder / "files").mkdir(exist_ok=True)
    path = folder / "files" / f"{day}.nc"
    path.write_bytes(to_netcdf(storm(NOON + timedelta(days=day), 13, seed=day + 1)))
    assert training("prepare", folder / "files", "--out", folder / "archive", "--workers", 0) == 0
    return path


def write_config(folder: Path, options: str = "", framing: str = "") -> Path:
    path = folder / "local.toml"
    path.write_text(CONFIG.format(options=options, framing=framing))
    return path


def fit(folder: Path, *options: object, config: Path | None = None) -> int:
    told = ["--data", folder / "archive", "--out", folder / "run", *options]
    return training("fit", config or write_config(folder), *told)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of files, and the archive that `prepare` made of them."""
    world = tmp_path_factory.mktemp("world")
    for day in range(3):
        add_day(world, day)
    return world


@pytest.fixture
def folder(world: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    return Path(shutil.copytree(world, tmp_path / "here"))


def days_of(folder: Path) -> dict[str, Any]:
    days: dict[str, Any] = json.loads((folder / "run" / "data.json").read_text())["days"]
    return days


def test_a_model_of_the_archive_says_what_it_learnt_from_and_goes_on_while_the_archive_grows(folder: Path) -> None:
    assert fit(folder) == 0
    days = {"train": ["2026-05-01/2026-05-01"], "validation": ["2026-05-02/2026-05-02"]}
    assert days_of(folder) == days | {"test": ["2026-05-03/2026-05-03"]}
    assert not (folder / "run" / "windows").exists()
    add_day(folder, 3)  # the newest by now: a new run would test on it, and train on two
    assert fit(folder, "--resume", "--iterations", 3) == 0
    assert days_of(folder) == days | {"test": ["2026-05-03/2026-05-03"]}

    assert training("export", folder / "run" / "model.pt", "--repository", folder / "models", "--version", 1) == 0
    card = read_card_of(folder / "models" / "local" / "1" / "model.onnx")
    assert card.description == "Rain over a small place."
    assert [(source.name, source.owner) for source in card.data] == [("RADOLAN and RADKLIM", "Deutscher Wetterdienst")]
    learnt = read_manifest(folder / "models", "local", "1")["data"]
    assert [(record["part"], record["product"], record["first"], record["frames"]) for record in learnt] == [
        ("train", "RY", "2026-05-01T11:00:00Z", 13),
        ("validation", "RY", "2026-05-02T11:00:00Z", 13),
    ]
    assert len(card.lineage.data_sha256) == 64
    hours = {day: storm(NOON + timedelta(days=day), 13) for day in (0, 2)}
    seen = [seen_before(learnt, folder / "files" / f"{day}.nc", hour) for day, hour in hours.items()]
    assert seen == ["trained on it (same product and time)", "no"]


def test_a_run_whose_days_have_other_frames_by_now_is_not_gone_on_with(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(folder) == 0
    (folder / "files" / "more.nc").write_bytes(to_netcdf(storm(NOON + timedelta(hours=1), 2)))
    add_day(folder, 2)
    capsys.readouterr()
    assert fit(folder, "--resume", "--iterations", 3) == 1
    told = capsys.readouterr().err
    assert "that the run began with, 13 from 2026-05-01T11:00:00Z to 2026-05-01T12:00:00Z, got 15 from" in told


@pytest.mark.parametrize(
    ("options", "framing", "told"),
    [
        ('product = "RX"', "", "got RX on any grid, which are 0; did you mean RY?"),
        ('validation_days = ["2026-06-01"]', "", "expected frames of RY"),
        ("validation_days = [2026-05-02]", "", "of texts in quotes for validation_days"),
        ("windows = -1", "", "windows, validation_windows, tile and stride of 1 or more"),
        ("leads = 30", "", "expected 33 frames of RY"),
        ("leads = 4", "", "expected 3 + 2 frames as the configuration says, got data of 3 + 4"),
        ("", "timestep_minutes = 10", "expected frames 10 min apart with pixels of 1 km, got RY on"),
        ("", "pixel_size_km = 2.0", "expected frames 5 min apart with pixels of 2 km, got RY on"),
    ],
)
def test_what_the_archive_cannot_give_ends_before_there_is_a_run(
    folder: Path, options: str, framing: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(folder, config=write_config(folder, options, framing)) == 1
    assert told in capsys.readouterr().err
    assert not (folder / "run").exists()


def test_a_folder_that_is_no_archive_is_told_what_fills_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["--data", folder / "files", "--out", folder / "run"]
    assert training("fit", write_config(folder), *told) == 1
    assert "expected an archive of radar frames in" in capsys.readouterr().err
