"""Folders of retrainings of which some are damaged: they are named and passed over, and end no later run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.repository import one_writer
from radar.errors import UnreadableFile
from training.promote.decisions import read_decisions, record_decision
from training.retrain.retrain import RetrainJob, _tell_failure
from training.retrain.run_folder import RunFolder, new_run, prune_runs, runs_of

ABOUT = dict.fromkeys(("model", "parent", "parent_sha256", "configuration_sha256"), "x")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def holding(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": holding(b""),
    "garbage": holding(b"\xff\xfe{"),
    "a list": holding(b"[]"),
    "nothing said": holding(b"{}"),
    "brackets": holding(b"[" * 200_000),
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link to nothing": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("name", ["run", "decision"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_is_named_and_passed_over(
    tmp_path: Path, name: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = (new_run(tmp_path, ABOUT, NOW + timedelta(hours=hour)) for hour in range(2))
    path = bad.path / f"{name}.json"
    path.unlink(missing_ok=True)
    DAMAGE[damage](path)
    assert runs_of(tmp_path) == [good]
    assert bad.version in capsys.readouterr().err
    prune_runs(tmp_path, 0)  # nor is anything of it removed: somebody may restore it
    assert bad.path.is_dir()
    if damage != "nothing said":
        with pytest.raises(UnreadableFile, match=f"{name}.json"):
            bad.read(name)


def test_decisions_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "still").mkdir()
    log = tmp_path / "still" / "decisions.jsonl"
    log.write_bytes(b'\xff\n{"id": NaN}\n' + b"[" * 200_000 + b'\n[]\n{"id": "a"}\n{"id"')
    with one_writer(log):
        assert [decision["id"] for decision in read_decisions(tmp_path, "still")] == ["a"]
    for _ in range(2):
        record_decision(tmp_path, "still", {"id": "b"})
    assert [decision["id"] for decision in read_decisions(tmp_path, "still")] == ["a", "b"]


def test_a_failure_that_cannot_be_written_does_not_hide_what_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run(tmp_path, ABOUT, NOW)
    (run.path / "run.json").write_text("{")
    job = RetrainJob(tmp_path, tmp_path, "still", tmp_path, None, lambda: NOW)  # type: ignore[arg-type]
    _tell_failure(job, RunFolder(run.path), OSError("the first"))
    assert "cannot be written" in capsys.readouterr().err
    (run.path / "run.json").write_text(json.dumps(ABOUT))
    _tell_failure(job, run, OSError("the first"))
    assert run.decision is not None
    assert "the first" in run.decision["reasons"][0]
