"""A retraining from command line to decision, on a small archive."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from models.aliases import read_aliases
from models.onnx_forecaster import load_forecaster, read_card_of
from models.repository import PRETRAINED, champions, read_manifest, versions_of, write_json
from radar.archive.archive import Archive
from radar.system.digest import sha256_of
from tests.training.small_world import NAME, NOON, make_archive, make_champion, write_config
from training.__main__ import main
from training.config.config import LossConfig, make_config
from training.promote.decisions import read_decisions
from training.retrain.config import RetrainConfig, load_retrain_config
from training.retrain.plan import fit_config, plan_of
from training.retrain.repository_change import prune_versions
from training.retrain.run_folder import RunFolder, new_run, prune_runs, runs_of


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive, and a repository with a poor champion."""
    world = tmp_path_factory.mktemp("world")
    make_archive(world / "archive")
    make_champion(world, world / "models")
    return world


@pytest.fixture
def folder(world: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the repository, with a configuration."""
    shutil.copytree(world / "models", tmp_path / "models")
    (tmp_path / "archive").symlink_to(world / "archive")
    write_config(tmp_path / "config.toml")
    yield tmp_path
    shutil.rmtree(tmp_path / "models")


def run(folder: Path, *options: object) -> int:
    arguments = ["--archive", folder / "archive", "--repository", folder / "models"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["training", "retrain", *map(str, [*arguments, *options])])
        return main()


def runs(folder: Path) -> list[RunFolder]:
    return runs_of(folder / "models" / NAME / "retraining")


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_a_better_version_becomes_challenger_with_all_that_was_done(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "--config", folder / "config.toml") == 0
    said = capsys.readouterr().out
    assert "| yes | better than the champion | csi at 0.5 mm/h gains +" in said
    (made,) = runs(folder)
    aliases = read_aliases(folder / "models", NAME)
    assert (aliases.champion, aliases.challenger) == ("1", made.version)
    assert load_forecaster(champions(folder / "models")[NAME], "cpu").card.version == "1"
    check_run_folder(made)
    check_version(folder / "models", made)
    (decision,) = read_decisions(folder / "models", NAME)
    assert (decision["by"], decision["decision"]) == ("retrain", "challenger")


def check_run_folder(made: RunFolder) -> None:
    about, manifest = made.about, read(made.data / "manifest.json")
    assert (about["model"], about["parent"], about["seed"]) == (NAME, "1", 1)
    assert {"python", "torch", "onnx", "numpy"} <= set(about["environment"])
    assert about["configuration"]["parts"]["windows"] == 12
    assert sorted(path.name for path in made.data.iterdir()) == ["manifest.json"]  # its frames are gone
    ends = [manifest["parts"][part] for part in ("training", "validation", "test")]
    apart = timedelta(hours=0.5)
    for before, after in pairwise(ends):
        assert datetime.fromisoformat(before["last"]) + apart < datetime.fromisoformat(after["first"])
    assert len(manifest["parts"]["training"]["windows"]) == 8
    assert made.decision is not None
    assert made.decision["decision"] == "challenger"
    assert "<h1>" in (made.path / "report.html").read_text()
    steps = [json.loads(line)["step"] for line in (made.path / "log.jsonl").read_text().splitlines()]
    assert [step.split()[0].rstrip(":,") for step in steps] == [
        *("begins", "makes", "trains", "exports", "scores", "challenger"),
    ]
    assert len((made.fit / "log.jsonl").read_text().splitlines()) == 3


def check_version(repository: Path, made: RunFolder) -> None:
    manifest = read_manifest(repository, NAME, made.version)
    lineage = read_card_of(repository / NAME / made.version / "model.onnx").lineage
    assert lineage.parent is None  # made anew
    assert len(lineage.data_sha256) == 64
    assert manifest["gate"]["decision"] == "challenger"
    assert make_config(manifest["configuration"]).sha256 == lineage.configuration_sha256
    assert {row["model"] for row in manifest["scores"]} == {
        *(f"{NAME}/1", f"{NAME}/{made.version}", "persistence", "extrapolation", "sprog-cdf", "sprog-mean"),
    }


@pytest.mark.slow
def test_the_manifest_names_the_frozen_files(folder: Path, world: Path) -> None:
    assert run(folder, "--config", folder / "config.toml") == 0
    files = read(runs(folder)[0].data / "manifest.json")["files"]
    archived = {
        path.relative_to(world / "archive").as_posix(): sha256_of(path) for path in world.rglob("archive/**/*.nc")
    }
    assert {file["path"]: file["sha256"] for file in files} == archived


@pytest.mark.slow
def test_promotion_at_once_with_probation(folder: Path) -> None:
    assert run(folder, "--config", write_config(folder / "now.toml", accept="promote")) == 0
    aliases = read_aliases(folder / "models", NAME)
    assert (aliases.champion, aliases.previous) == (runs(folder)[0].version, "1")
    assert aliases.probation_until is not None


@pytest.mark.slow
def test_fine_tuning_that_gains_nothing_keeps_the_champion(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config(folder / "tune.toml", start="champion", iterations=1)
    text = config.read_text().replace("warm_up = 1", "warm_up = 1\nlearning_rate = 1e-12")
    config.write_text(text)
    assert run(folder, "--config", config) == 3
    assert "| NO | better than the champion |" in capsys.readouterr().out
    (made,) = runs(folder)
    assert made.decision is not None
    assert made.decision["decision"] == "kept"
    assert versions_of(folder / "models", NAME) == ["1"]
    assert read_card_of(made.export / NAME / made.version / "model.onnx").lineage.parent == f"{NAME}/1"


@pytest.mark.slow
def test_an_unfinished_run_goes_on_and_ends_once(folder: Path) -> None:
    assert run(folder, "--config", folder / "config.toml") == 0
    (first,) = runs(folder)
    (first.path / "decision.json").unlink()  # as if it had been killed before that
    assert run(folder, "--config", folder / "config.toml") == 0
    assert [made.version for made in runs(folder)] == [first.version]
    assert len(list(read_decisions(folder / "models", NAME))) == 1


@pytest.mark.slow
def test_an_unfinished_run_whose_champion_is_gone_is_given_up(folder: Path) -> None:
    assert run(folder, "--config", folder / "config.toml") == 0
    (first,) = runs(folder)
    (first.path / "decision.json").unlink()
    write_json(folder / "models" / NAME / "aliases.json", {"champion": "1"})
    write_json(first.path / "run.json", first.about | {"parent_sha256": "0"})
    assert run(folder, "--config", folder / "config.toml") == 0
    assert first.decision is not None
    assert first.decision["reasons"][0].startswith("given up")
    assert len(runs(folder)) == 2


@pytest.mark.slow
def test_workers_of_torchrun_train_together_and_one_decides(folder: Path) -> None:
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "training", "retrain"]
    options = {"archive": "archive", "repository": "models", "config": "config.toml"}
    command += [part for key, name in options.items() for part in (f"--{key}", str(folder / name))]
    answer = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, timeout=280)
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert answer.stdout.count("| holds | rule | numbers |") == 1
    (made,) = runs(folder)
    assert read_aliases(folder / "models", NAME).challenger == made.version
    assert len((made.fit / "log.jsonl").read_text().splitlines()) == 3


def test_never_two_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "models" / ".retrain.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(folder) == 1
    assert "expected no other retraining of this repository, got one at work" in capsys.readouterr().err
    assert runs(folder) == []


def test_an_archive_that_holds_nothing_fitting_is_a_failed_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "archive").unlink()
    assert run(folder, "--config", folder / "config.toml") == 1
    assert "an archive of nothing" in capsys.readouterr().err
    decision = runs(folder)[0].decision
    assert decision is not None
    assert decision["decision"] == "failed"
    make_archive(folder / "archive", hours=2)
    assert run(folder, "--config", folder / "config.toml") == 1
    assert "archive more days" in capsys.readouterr().err
    assert not [path for path in runs(folder)[1].path.iterdir() if path.name == "data"]


@pytest.mark.slow
def test_series_that_do_not_fit_are_named_and_left_out(folder: Path, world: Path) -> None:
    (folder / "archive").unlink()
    shutil.copytree(world / "archive", folder / "archive")
    archive = Archive(folder / "archive")
    pair = ("RY", archive.products()[0][1])
    piece = archive.read(*pair, archive.times(*pair)[0], archive.times(*pair)[1])
    archive.append(
        replace(piece, product="SLOW", valid_times=(NOON, NOON + timedelta(minutes=10)), timestep_minutes=10)
    )
    assert run(folder, "--config", folder / "config.toml") == 0
    left_out = read(runs(folder)[0].data / "manifest.json")["left_out"]
    assert {"what": f"SLOW on {pair[1]}", "why": "every 10 minutes, the model every 5"} in left_out


def test_old_versions_go_but_none_with_a_role_and_none_made_by_hand(folder: Path) -> None:
    repository = folder / "models"
    for version in ("2", "3", "4", "5", "6"):
        shutil.copytree(repository / NAME / "1", repository / NAME / version)
        manifest = repository / NAME / version / "manifest.json"
        if version != "6":
            write_json(manifest, read(manifest) | {"gate": {"run": version}})
    write_json(repository / NAME / "aliases.json", {"champion": "2", "previous": "1", "challenger": "3"})
    assert prune_versions(repository, NAME, keep=1) == ["4"]
    assert versions_of(repository, NAME) == ["1", "2", "3", "5", "6"]
    assert prune_versions(repository, NAME, keep=0) == ["5"]


def test_old_runs_go_and_their_frames_first(tmp_path: Path) -> None:
    told = dict.fromkeys(("model", "parent", "parent_sha256", "configuration_sha256"), NAME)
    made = [new_run(tmp_path, told, NOON) for _ in range(4)]
    assert len({one.version for one in made}) == 4
    for one in made[:3]:
        (one.data / "training").mkdir(parents=True)
        one.write("decision", {"decision": "kept"})
    (made[3].data / "training").mkdir(parents=True)
    prune_runs(tmp_path, keep=2)
    assert [one.version for one in runs_of(tmp_path)] == [one.version for one in made[1:]]
    assert not (made[1].data / "training").exists()
    assert (made[3].data / "training").exists()  # unfinished


def test_a_configuration_with_unknown_names_is_refused(tmp_path: Path) -> None:
    assert load_retrain_config(None) == RetrainConfig()
    for text in ("speed = 1", "[gate]\nluck = 1", "[parts]\nodd = 1", 'accept = "always"'):
        (tmp_path / "wrong.toml").write_text(text)
        with pytest.raises(ValueError, match="expected"):
            load_retrain_config(tmp_path / "wrong.toml")


def test_the_loss_is_the_champions(folder: Path) -> None:
    """Else a model trained towards a high quantile would be fine-tuned towards the median."""
    manifest = folder / "models" / NAME / "1" / "manifest.json"
    begun, config = new_run(folder / "runs", {"model": NAME, "parent": "1"}, NOON), RetrainConfig()
    told = read(manifest)
    told["configuration"]["loss"] |= {"quantile": 0.7, "rain_weight": 2.0}
    write_json(manifest, told)
    loss = plan_of(begun, folder / "models", config).trained.loss
    assert (loss.quantile, loss.rain_weight, loss.dry_slack) == (0.7, 2.0, 0.5)
    own = plan_of(begun, folder / "models", RetrainConfig(fit={"loss": {"quantile": 0.6}})).trained.loss
    assert (own.quantile, own.rain_weight) == (0.6, 2.0)
    del told["configuration"]  # exported before manifests had it
    write_json(manifest, told)
    assert plan_of(begun, folder / "models", config).trained.loss == LossConfig(dry_slack=0.5)


def test_what_is_retrained_keeps_dry_pixels_clear_of_rain_unless_told_otherwise() -> None:
    card = read_card_of(champions(PRETRAINED)["ms-preciplstm"])
    usual = fit_config(RetrainConfig(fit={"loss": {"quantile": 0.6}}), card, {})
    assert (usual.network, usual.framing) == (card.spec, card.framing)
    assert (usual.loss.quantile, usual.loss.dry_slack) == (0.6, 0.5)
    assert fit_config(RetrainConfig(fit={"loss": {"dry_slack": 1.0}}), card, {}).loss.dry_slack == 1.0
