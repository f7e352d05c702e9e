"""Real events through the feed into the archive, and a retraining of the bundled model on them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import netCDF4
import pytest

from models.aliases import read_aliases
from models.onnx_forecaster import load_forecaster
from models.repository import PRETRAINED, champions
from radar.archive.archive import Archive
from radar.files.odim import write_odim
from radar.files.open import open_sequence
from radar.frame import Frame
from service.__main__ import main as service
from tests.real_events import placed_events
from tests.service.conftest import RedisServer
from training.__main__ import main as training
from training.promote.decisions import read_decisions

CONFIG = """
lead_minutes = 15
test_starts = 4
[parts]
newest_days = 0
block_hours = 8
test_share = 0.1
validation_share = 0.1
windows = 12
validation_windows = 4
tile = 128
[optimiser]
iterations = 4
batch = 2
crop = 96
validate_every = 4
"""


def write_frames(event: Path, folder: Path) -> int:
    """An event as a feed lists it: one ODIM file for each frame; how many there were."""
    sequence = open_sequence([event])
    with netCDF4.Dataset(event) as file:
        grid = replace(sequence.grid, projection=file.projection)  # as a PROJ string, which ODIM has
    for rain_rate, time in zip(sequence.rain_rate, sequence.valid_times, strict=True):
        frame = Frame(rain_rate, time, grid, sequence.timestep_minutes, "RY", "an event")
        (folder / f"{time:%Y%m%d_%H%M}_RY.h5").write_bytes(write_odim(frame))
    return len(sequence)


def network_folder(event: Path, frames: Path) -> Path:
    """Where the frames of an event's radar network go."""
    owner, network, _ = event.stem.split("_", 2)
    folder = frames / f"{owner}-{network}"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.filterwarnings("ignore:angle from rectified:UserWarning")  # pyproj, of the Swiss projection
def test_a_retraining_on_real_events_prints_its_decision_with_the_table(
    real_data: Path,
    redis_server: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    frames, archive, repository = tmp_path / "frames", tmp_path / "archive", tmp_path / "models"
    frames.mkdir()
    events = [path for path in placed_events(real_data) if not path.name.startswith("bom")]
    count = sum(write_frames(event, network_folder(event, frames)) for event in events)  # every 5 minutes, of 1 km
    monkeypatch.setenv("RAINCELL_ARCHIVE", str(archive))
    for network in sorted(frames.iterdir()):  # a product has one grid: each is followed by a service of its own
        feed = ["--source", str(network), "--product", "RY", "--redis-url", redis_server.url, "--force", "--once"]
        assert service(["ingest", *feed]) == 0
        redis_server.kill()
        redis_server.start()
    assert sum(len(Archive(archive).times(*pair)) for pair in Archive(archive).products()) == count
    shutil.copytree(PRETRAINED / "ms-convlstm", repository / "ms-convlstm")
    (tmp_path / "config.toml").write_text(CONFIG)
    there = ["--archive", str(archive), "--repository", str(repository), "--config", str(tmp_path / "config.toml")]
    monkeypatch.setattr("sys.argv", ["training", "retrain", *there])
    status, said = training(), capsys.readouterr()
    assert status in (0, 3), said.err[-3000:]
    check_decision(status, said.out, repository)


def check_decision(status: int, said: str, repository: Path) -> None:
    (decision,) = read_decisions(repository, "ms-convlstm")
    assert status == {"kept": 3, "challenger": 0}[decision["decision"]]
    for model in ("challenger", "champion", "persistence", "extrapolation"):
        assert f"| 1 | {model} |" in said
    assert f"{decision['decision']}: ms-convlstm" in said
    assert "| gain in csi over |" in said.replace("| mm/h", "")
    bundled = read_aliases(PRETRAINED, "ms-convlstm").champion
    assert load_forecaster(champions(repository)["ms-convlstm"], "cpu").card.version == bundled
    assert read_aliases(repository, "ms-convlstm").champion == bundled
    (manifest,) = repository.glob("ms-convlstm/retraining/*/data/manifest.json")
    left_out = json.loads(manifest.read_text())["left_out"]
    assert {"fewer than 17 frames"} == {entry["why"] for entry in left_out}  # the two of DWD
