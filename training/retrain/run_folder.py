"""The folder of one retraining: its inputs, its steps, and the decision that ends it.

OUT/<version>/run.json       its inputs: model, parent, configuration, seeds, versions
OUT/<version>/data/          training/retrain/data_set.py; its frames are removed when the run ends
OUT/<version>/fit/           training/fit/loop.py
OUT/<version>/export/        the challenger, as a model repository of its own
OUT/<version>/log.jsonl      a line for each step
OUT/<version>/report.html    all scores, and report.json
OUT/<version>/gate.json      the verdict, written before it is carried out
OUT/<version>/decision.json  the outcome; a run without it is unfinished
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from radar.errors import UnreadableFile
from radar.sequence import iso
from radar.system.durable import place_folder, write_text
from radar.system.journal import append_lines
from radar.system.regular_file import read_json


@dataclass(frozen=True)
class RunFolder:
    """One run; its folder's name is the version that it makes."""

    path: Path

    @property
    def version(self) -> str:
        """The challenger's version."""
        return self.path.name

    @property
    def about(self) -> dict[str, Any]:
        """The run's inputs."""
        return _read(self.path / "run.json")

    @property
    def decision(self) -> dict[str, Any] | None:
        """The outcome; None for an unfinished run."""
        return self.read("decision")

    @property
    def data(self) -> Path:
        """Folder of the data set."""
        return self.path / "data"

    @property
    def fit(self) -> Path:
        """Folder of the training."""
        return self.path / "fit"

    @property
    def export(self) -> Path:
        """A model repository with the challenger in it."""
        return self.path / "export"

    def read(self, name: str) -> dict[str, Any] | None:
        """The content of <name>.json; None if it is missing."""
        path = self.path / f"{name}.json"
        return _read(path) if os.path.lexists(path) else None

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write <name>.json by atomic rename, durably."""
        write_text(self.path / f"{name}.json", json.dumps(content, indent=1, allow_nan=False) + "\n")

    def log(self, step: str) -> None:
        """Report a step, on the terminal and in the log."""
        tqdm.write(f"{self.version}: {step}", file=sys.stderr)
        append_lines(self.path / "log.jsonl", [{"time": iso(datetime.now(UTC)), "step": step}])


def new_run(out: Path, about: Mapping[str, Any], now: datetime) -> RunFolder:
    """A new run, with its run.json; never an existing one."""
    out.mkdir(parents=True, exist_ok=True)
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    names = (stamp if number == 1 else f"{stamp}-{number}" for number in range(1, 1000))
    run = RunFolder(next(path for name in names if not (path := out / name).exists()))
    making = out / f".{run.version}"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    RunFolder(making).write("run", about)
    place_folder(making, run.path)
    return run


def runs_of(out: Path) -> list[RunFolder]:
    """All runs whose run.json and decision.json can be read, oldest first; others are reported, and skipped."""
    folders = sorted(path for path in out.glob("[!.]*") if os.path.lexists(path / "run.json"))
    return [run for run in map(RunFolder, folders) if _is_sound(run)]


_ABOUT = ("model", "parent", "parent_sha256", "configuration_sha256")


def _is_sound(run: RunFolder) -> bool:
    """Whether later runs can use this one: one damaged folder must not stop them all."""
    try:
        about, decision = run.about, run.decision
        if lacking := [key for key in _ABOUT if not isinstance(about.get(key), str)]:
            raise _damaged(run.path / "run.json", f"none with {', '.join(lacking)}")
        if decision is not None and not isinstance(decision.get("decision"), str):
            raise _damaged(run.path / "decision.json", "none with a decision")
    except UnreadableFile as error:
        tqdm.write(f"run {run.version} is passed over: {error}", file=sys.stderr)
        return False
    return True


def prune_runs(out: Path, keep: int) -> None:
    """Remove the frames of finished runs, all but the newest `keep` finished runs, and folders that are not runs."""
    for path in out.glob(".[0-9]*"):
        shutil.rmtree(path, ignore_errors=True)
    finished = [run for run in runs_of(out) if run.decision is not None]
    for run in finished:
        for part in ("archive", "training", "validation"):
            shutil.rmtree(run.data / part, ignore_errors=True)
        shutil.rmtree(run.path / ".data", ignore_errors=True)
    for run in finished[: max(0, len(finished) - keep)]:
        shutil.rmtree(run.path, ignore_errors=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except ValueError as error:
        raise _damaged(path, type(error).__name__) from None
    except OSError as error:
        raise _damaged(path, error.strerror or type(error).__name__) from None
    if not isinstance(content, dict):
        raise _damaged(path, f"a {type(content).__name__}")
    return content


def _damaged(path: Path, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"a JSON object in {path.parent.name}/{path.name}",
        got=got,
        remedy="remove that run's folder, or restore the file",
    )
