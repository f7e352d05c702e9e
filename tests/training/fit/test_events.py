"""What a run is to learn from is checked file by file before anything is made of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models.framing import Framing
from models.spec import NetworkSpec
from radar.errors import UnreadableFile
from radar.files.netcdf.writer import to_netcdf
from radar.grid import KNOWN_GRIDS, Grid
from radar.synthetic import storm_sequence
from training.__main__ import main
from training.config.config import DataConfig, FitConfig, OptimiserConfig
from training.fit.events import check_events

RADKLIM = KNOWN_GRIDS["radklim"]
CONFIG = FitConfig(
    name="small",
    leads=2,
    network=NetworkSpec(cell="convlstm", scales=(0, 1, 0), channels=4),
    framing=Framing(input_length=3),
    data=DataConfig(train=("first.nc",), validation=("second.nc",)),
    optimiser=OptimiserConfig(iterations=1, batch=1, crop=16),
)


def write(
    path: Path, frames: int = 6, *, step: int = 5, km: float = 1.0, missing: slice = slice(0), edge: int = 20
) -> None:
    grid = Grid("small", (edge, 24), km, RADKLIM.projection, RADKLIM.north_west)
    end = datetime(2026, 5, 1, 12, tzinfo=UTC)
    seed = sum(map(ord, path.name))
    storm = storm_sequence(grid, frames, seed=seed, end_time=end, timestep_minutes=step)
    storm.rain_rate[missing] = np.nan
    path.write_bytes(to_netcdf(storm))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "first.nc")
    write(tmp_path / "second.nc")
    return tmp_path


def test_events_that_can_be_learnt_from_are_told_with_their_digests(folder: Path) -> None:
    first, second = check_events(CONFIG, folder, show=False)
    assert (first.name, first.part, first.windows, first.shape) == ("first.nc", "train", 1, (20, 24))
    assert (second.name, second.part) == ("second.nc", "validation")
    assert len(first.sha256) == 64
    assert first.sha256 != second.sha256
    assert (first.first, first.last) == ("2026-05-01T11:35:00Z", "2026-05-01T12:00:00Z")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"missing": slice(None)}, "second.nc (no known pixel)"),
        ({"frames": 4}, "second.nc (4 frames)"),
        ({"step": 10}, "second.nc (10 min apart)"),
        ({"km": 2.0}, "second.nc (pixels of 2 km)"),
        ({"missing": slice(3, None)}, "second.nc (no window whose last input frame and a later one have known pixels)"),
        ({"edge": 8}, "second.nc (8 x 24 pixels, a crop 16)"),
    ],
)
def test_an_event_that_nothing_can_be_learnt_from_is_refused_by_file(
    folder: Path, change: dict[str, object], told: str
) -> None:
    write(folder / "second.nc", **change)  # type: ignore[arg-type]
    with pytest.raises(UnreadableFile) as refused:
        check_events(CONFIG, folder, show=False)
    assert refused.value.got == told


def test_all_that_are_wrong_are_named_at_once_and_a_damaged_one_among_them(folder: Path) -> None:
    write(folder / "first.nc", missing=slice(None))
    (folder / "second.nc").write_bytes((folder / "second.nc").read_bytes()[:1000])
    with pytest.raises(UnreadableFile, match=r"first\.nc \(no known pixel\), second\.nc \(expected .*\)"):
        check_events(CONFIG, folder, show=False)


def test_what_is_trained_on_is_not_validated_by_under_another_name(folder: Path) -> None:
    (folder / "second.nc").write_bytes((folder / "first.nc").read_bytes())
    with pytest.raises(UnreadableFile, match=r"second\.nc \(the same file as first\.nc, which is trained on\)"):
        check_events(CONFIG, folder, show=False)


def test_some_missing_frames_are_no_fault(folder: Path) -> None:
    write(folder / "first.nc", missing=slice(0, 2))
    check_events(replace(CONFIG, data=replace(CONFIG.data, stride=1)), folder, show=False)


TOML = """
name = "small"
leads = 2
[network]
cell = "convlstm"
scales = [0, 1, 0]
channels = 4
[framing]
input_length = 3
[data]
train = ["first.nc"]
validation = ["second.nc"]
[optimiser]
iterations = 1
batch = 1
crop = 16
"""


@pytest.mark.parametrize("wrong", ["event", "data", "start"])
def test_fit_says_what_is_missing_and_leaves_no_folder(
    wrong: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "c.toml").write_text(TOML)
    options = {"--data": str(folder), "--out": str(folder / "run")}
    if wrong == "event":
        (folder / "second.nc").unlink()
    else:
        options[f"--{wrong}"] = str(folder / "none")
    told = [word for option in options.items() for word in option]
    monkeypatch.setattr("sys.argv", ["training", "fit", str(folder / "c.toml"), *told])
    assert main() == 1
    expected = {
        "event": "the event second.nc in",
        "data": "a folder of data, got no",
        "start": "a checkpoint for --start",
    }
    assert f"error: expected {expected[wrong]}" in capsys.readouterr().err
    assert not (folder / "run").exists()
