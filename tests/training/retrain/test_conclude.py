"""What follows from a verdict, on repositories made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.aliases import Aliases, promote, read_aliases
from models.repository import set_alias, write_json
from radar.system.digest import sha256_of
from training.retrain.conclude import conclude
from training.retrain.config import RetrainConfig
from training.retrain.run_folder import RunFolder

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
AT_ONCE = RetrainConfig(accept="promote", probation_hours=6)


def add_version(repository: Path, version: str) -> None:
    folder = repository / "rain" / version
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_text(f"weights of {version}")
    write_json(folder / "manifest.json", {"sha256": {"model.onnx": sha256_of(folder / "model.onnx")}})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Versions 1, the champion, and 2."""
    for version in ("1", "2"):
        add_version(tmp_path / "models", version)
    set_alias(tmp_path / "models", "rain", "champion", "1")
    return tmp_path / "models"


@pytest.fixture
def passed(tmp_path: Path) -> RunFolder:
    """A run whose version is better than version 1."""
    run = RunFolder(tmp_path / "runs" / "20260501T030000Z")
    add_version(run.export, run.version)
    run.write("run", {"model": "rain", "parent": "1"})
    rule = {"name": "better than the champion", "holds": True, "says": "it is"}
    run.write("gate", {"passed": True, "rules": [rule], "numbers": {}, "means": []})
    return run


def test_what_beats_the_champion_is_promoted(repository: Path, passed: RunFolder) -> None:
    assert conclude(passed, repository, AT_ONCE, NOW).decision == "promoted"
    until = NOW + timedelta(hours=6)
    after = Aliases(passed.version, "1", probation_until=until, champion_since=NOW)
    assert read_aliases(repository, "rain") == after
    assert conclude(passed, repository, AT_ONCE, NOW + timedelta(hours=1)).decision == "promoted"  # cut off, done again
    assert read_aliases(repository, "rain") == after


def test_a_champion_that_came_meanwhile_was_not_beaten(repository: Path, passed: RunFolder) -> None:
    promote(repository, "rain", "2", now=NOW)
    outcome = conclude(passed, repository, AT_ONCE, NOW)
    assert outcome.decision == "challenger"
    assert "the champion is 2 by now" in outcome.content["reasons"][-1]
    assert read_aliases(repository, "rain") == Aliases("2", "1", passed.version, NOW, champion_since=NOW)
