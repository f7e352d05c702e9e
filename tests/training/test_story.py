"""From events to scores: fit, export, inspect and evaluate, as the command line runs them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest

from models.aliases import read_aliases
from models.baselines import BASELINES
from models.onnx_forecaster import load_forecaster, read_card_of
from models.repository import champions, set_alias, version_file
from radar.errors import ArtifactRejected, UnknownModel
from radar.files.netcdf.writer import to_netcdf
from radar.grid import KNOWN_GRIDS, Grid
from radar.synthetic import Weather, storm_sequence
from radar.system.digest import sha256_of
from training.__main__ import main

CONFIG = """
name = "ms-convlstm"
leads = 3
[network]
cell = "convlstm"
scales = [0, 1, 0]
channels = 4
inputs = ["rain", "coverage"]
[framing]
coordinates = "lagrangian"
base = "smoothed"
[data]
train = ["first.nc"]
validation = ["second.nc"]
synthetic = 1
[optimiser]
iterations = 4
batch = 2
crop = 32
validate_every = 2
"""


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["training", *map(str, arguments)])
    return main()


def write_event(path: Path, seed: int, frames: int = 14) -> Path:
    radklim = KNOWN_GRIDS["radklim"]
    grid = Grid("small", (90, 100), 1.0, radklim.projection, radklim.north_west)
    end = datetime(2026, 5, 1, 12, tzinfo=UTC)
    storm = storm_sequence(grid, frames, seed=seed, end_time=end, weather=Weather(wet_fraction=0.4))
    path.write_bytes(to_netcdf(storm))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two events, a configuration, a run and its export."""
    folder = tmp_path_factory.mktemp("story")
    for seed, name in enumerate(("first.nc", "second.nc")):
        write_event(folder / name, seed)
    (folder / "config.toml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        assert run(patch, "fit", folder / "config.toml", "--data", folder, "--out", folder / "run") == 0
        exported = ("export", folder / "run" / "model.pt", "--repository", folder / "models", "--version", "1")
        assert run(patch, *exported) == 0
    return folder


def test_a_run_leaves_its_configuration_log_and_weights(folder: Path) -> None:
    log = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    assert [entry["iteration"] for entry in log] == [0, 2, 4]
    # a head of zeros begins as its base; this configuration's does not
    assert log[0]["validation_base_loss"] == log[-1]["validation_base_loss"]
    assert json.loads((folder / "run" / "config.json").read_text())["optimiser"]["iterations"] == 4


def test_a_run_never_erases_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "run" / "model.pt").read_bytes()
    assert run(monkeypatch, "fit", folder / "config.toml", "--data", folder, "--out", folder / "run") == 1
    assert "run" in capsys.readouterr().err
    assert (folder / "run" / "model.pt").read_bytes() == before


def test_training_twice_with_one_seed_gives_the_same_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # the JSON beside a run is the configuration that it was made by
    assert run(monkeypatch, "fit", folder / "run" / "config.json", "--data", folder, "--out", folder / "again") == 0
    told = capsys.readouterr().err
    assert all(f"{part} examples: 100%" in told for part in ("train", "validation"))
    assert "/4 [" in told  # windows of each event: 14 frames, 5 in and 3 out, every second start
    logs = [(folder / name / "log.jsonl").read_text() for name in ("run", "again")]
    assert logs[0] == logs[1]


def test_a_missing_event_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, "fit", folder / "config.toml", "--data", tmp_path, "--out", tmp_path / "run") == 1
    assert "first.nc" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_export_carries_its_card(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "inspect", folder / "models" / "ms-convlstm" / "1" / "model.onnx") == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["name"], card["version"], card["coordinates"], card["base"]) == (
        "ms-convlstm",
        "1",
        "lagrangian",
        "smoothed",
    )
    assert [state["name"] for state in card["states"]][:2] == ["layer0_h", "layer0_c"]
    manifest = json.loads((folder / "models" / "ms-convlstm" / "1" / "manifest.json").read_text())
    assert manifest["parity"]["largest_difference_mm_per_hour"] < 0.01


def test_a_version_never_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ("export", folder / "run" / "model.pt", "--repository", folder / "models", "--version", "1")
    assert run(monkeypatch, *again) == 1
    assert "choose another" in capsys.readouterr().err


def test_later_versions_wait_until_they_are_promoted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    export = ("export", folder / "run" / "model.pt", "--repository", tmp_path, "--version")
    there = ("--repository", tmp_path)
    for version, options in (("1", ()), ("2", ()), ("3", ("--alias", "challenger")), ("4", ("--alias", "none"))):
        assert run(monkeypatch, *export, version, *options) == 0
    assert read_aliases(tmp_path, "ms-convlstm").challenger == "3"
    assert run(monkeypatch, "promote", *there, "--version", "2", "--probation-hours", "6") == 0
    assert "2 is champion, 1 the previous one" in capsys.readouterr().out
    assert read_aliases(tmp_path, "ms-convlstm").probation_until is not None
    assert run(monkeypatch, "rollback", *there) == 0
    assert "1 is champion again, 2 the previous one" in capsys.readouterr().out
    assert run(monkeypatch, "promote", *there) == 1
    assert "expected a challenger to promote, got none" in capsys.readouterr().err
    assert run(monkeypatch, "list", *there, "--json") == 0
    rows = {row["version"]: row for row in json.loads(capsys.readouterr().out)}
    assert [rows[version]["aliases"] for version in "1234"] == [["champion"], ["previous"], [], []]
    assert rows["4"]["created"].endswith("Z")
    assert rows["4"]["megabytes"] > 0
    assert run(monkeypatch, "list", *there) == 0
    assert "ms-convlstm  1        champion" in capsys.readouterr().out


def test_what_would_not_serve_is_not_promoted(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    export = ("export", folder / "run" / "model.pt", "--repository", tmp_path, "--version")
    assert [run(monkeypatch, *export, version) for version in "12"] == [0, 0]
    path = tmp_path / "ms-convlstm" / "2" / "model.onnx"
    model = onnx.load(path)
    (bias,) = (part for part in model.graph.initializer if part.name == "head.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(1e-3), bias.name))
    onnx.save(model, path)
    manifest = json.loads(path.with_name("manifest.json").read_text())
    manifest["sha256"]["model.onnx"] = sha256_of(path)  # as whoever damaged it may have made it
    path.with_name("manifest.json").write_text(json.dumps(manifest))
    assert run(monkeypatch, "promote", "--repository", tmp_path, "--version", "2") == 1
    assert read_aliases(tmp_path, "ms-convlstm").champion == "1"


def test_the_lineage_says_what_made_it(folder: Path) -> None:
    lineage = read_card_of(folder / "models" / "ms-convlstm" / "1" / "model.onnx").lineage
    assert lineage.parent is None
    assert {"python", "torch", "onnx", "onnxruntime", "numpy"} <= set(lineage.environment)
    assert len(lineage.configuration_sha256) == 64
    digests = [sha256_of(folder / name) for name in ("first.nc", "second.nc")]
    assert lineage.data_sha256 == hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
    manifest = json.loads((folder / "models" / "ms-convlstm" / "1" / "manifest.json").read_text())
    assert manifest["lineage"] == lineage.model_dump(mode="json")
    assert [(event["name"], event["part"], event["sha256"]) for event in manifest["data"]] == [
        ("first.nc", "train", digests[0]),
        ("second.nc", "validation", digests[1]),
    ]


def test_a_card_says_what_it_is_and_forecasts_as_far_as_it_was_trained_for(folder: Path) -> None:
    card = read_card_of(folder / "models" / "ms-convlstm" / "1" / "model.onnx")
    assert card.longest_lead_minutes == 15
    assert card.description == (
        "A multi-scale convlstm network, trained to forecast 15 minutes in steps of 5 on synthetic storms."
    )


def test_an_export_may_reach_further_and_be_described(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    export = ("export", folder / "run" / "model.pt", "--repository", tmp_path, "--version")
    told = ("--longest-lead-minutes", "120", "--description", "For the coast.")
    assert run(monkeypatch, *export, "1", *told) == 0
    card = read_card_of(tmp_path / "ms-convlstm" / "1" / "model.onnx")
    assert (card.longest_lead_minutes, card.description) == (120, "For the coast.")
    assert run(monkeypatch, *export, "2", "--longest-lead-minutes", "7") == 1
    assert "a multiple of 5 minutes, got 7; leave it out for the 15 minutes" in capsys.readouterr().err
    assert not (tmp_path / "ms-convlstm" / "2").exists()


@pytest.mark.parametrize("version", ["../2", "", "a/b", ".hidden"])
def test_a_version_is_one_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], version: str
) -> None:
    exported = ("export", folder / "run" / "model.pt", "--repository", folder / "models", "--version", version)
    assert run(monkeypatch, *exported) == 1
    assert "choose another" in capsys.readouterr().err
    assert list(champions(folder / "models")) == ["ms-convlstm"]


def test_only_checkpoints_are_exported(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = ("export", folder / "config.toml", "--repository", folder / "models", "--version", "3")
    assert run(monkeypatch, *exported) == 1
    assert "config.toml, which is not one" in capsys.readouterr().err


def test_every_method_is_scored_on_the_same_pixels(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scores_file = folder / "scores.json"
    options = ("--thresholds", "0.5,5", "--lead-minutes", "15", "--json", scores_file)
    assert run(monkeypatch, "evaluate", folder / "models", folder / "second.nc", *options) == 0
    tables = capsys.readouterr().out
    assert "| lead (min) | CSI ms-convlstm † | CSI persistence |" in tables
    assert "† ms-convlstm has seen this event: chosen by it (same file)" in tables
    scores = json.loads(scores_file.read_text())
    assert {score["model"] for score in scores} == {"ms-convlstm", *BASELINES}
    assert {(score["model"], score["seen"]) for score in scores if score["seen"] != "no"} == {
        ("ms-convlstm", "chosen by it (same file)")
    }
    assert {(score["lead_minutes"], score["threshold"]) for score in scores} == {
        (lead, threshold) for lead in (5, 10, 15) for threshold in (0.5, 5.0)
    }
    assert all(score["starts"] == 7 for score in scores)  # 14 frames, 5 in and 3 out


def test_scores_can_be_recorded_beside_the_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--thresholds", "0.5", "--lead-minutes", "15", "--record")
    assert run(monkeypatch, "evaluate", folder / "models", folder / "second.nc", *options) == 0
    scores = json.loads((folder / "models" / "ms-convlstm" / "1" / "manifest.json").read_text())["scores"]
    assert [score["model"] for score in scores] == ["ms-convlstm", *BASELINES]
    assert scores[0]["lead_minutes"] == [5, 10, 15]
    assert 0 < scores[0]["csi"] < 1
    assert champions(folder / "models")  # the manifest still vouches for the file


def test_an_unknown_baseline_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "evaluate", folder / "models", folder / "second.nc", "--baselines", "magic") == 1
    assert "magic" in capsys.readouterr().err


def test_a_damaged_model_file_is_refused(folder: Path, tmp_path: Path) -> None:
    original = folder / "models" / "ms-convlstm" / "1"
    copy = tmp_path / "ms-convlstm" / "1"
    copy.mkdir(parents=True)
    content = bytearray((original / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (copy / "model.onnx").write_bytes(content)
    (copy / "manifest.json").write_bytes((original / "manifest.json").read_bytes())
    set_alias(tmp_path, "ms-convlstm", "champion", "1")
    with pytest.raises(ArtifactRejected, match="sha256"):
        champions(tmp_path)


def test_a_model_that_answers_otherwise_than_at_its_export_is_refused(folder: Path, tmp_path: Path) -> None:
    model = onnx.load(folder / "models" / "ms-convlstm" / "1" / "model.onnx")
    (bias,) = (part for part in model.graph.initializer if part.name == "head.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(1e-3), bias.name))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ArtifactRejected, match="golden case within 1e-05"):
        load_forecaster(tmp_path / "model.onnx", "cpu")


def test_no_path_of_the_exporting_machine_is_in_the_file(folder: Path) -> None:
    content = (folder / "models" / "ms-convlstm" / "1" / "model.onnx").read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in content
    assert b"site-packages" not in content


@pytest.mark.parametrize("content", ["{}", "[[", "[]"])
def test_damaged_aliases_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "ms-convlstm").mkdir()
    (tmp_path / "ms-convlstm" / "aliases.json").write_text(content)
    with pytest.raises(ArtifactRejected, match=r"champion in ms-convlstm/aliases\.json"):
        champions(tmp_path)


def test_an_alias_to_nowhere_is_refused(folder: Path) -> None:
    with pytest.raises(UnknownModel, match="version 9"):
        version_file(folder / "models", "ms-convlstm", "9")


def test_the_model_forecasts_sizes_that_its_pyramid_does_not_divide(folder: Path) -> None:
    forecaster = load_forecaster(folder / "models" / "ms-convlstm" / "1" / "model.onnx", "cpu")
    for shape in ((7, 31), (125, 90)):
        past = storm_sequence(Grid("odd", shape, 1.0), 5, seed=1, end_time=datetime(2026, 1, 1, tzinfo=UTC))
        forecast = forecaster.forecast(past, 2)
        assert forecast.rain_rate.shape == (2, *shape)
        assert np.isnan(forecast.rain_rate[:, np.isnan(past.rain_rate[-1])]).all()
