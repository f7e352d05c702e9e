"""Which events a model has learnt from is known by their files, and where nobody knows it, that is said."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.baselines import Persistence
from radar.files.netcdf.writer import to_netcdf
from radar.grid import KNOWN_GRIDS, Grid
from radar.sequence import FrameSequence
from radar.synthetic import storm_sequence
from training.data.digest import data_set_records, folder_sha256
from training.evaluate.evaluate import evaluate_events
from training.evaluate.learnt import learnt_by
from training.evaluate.seen import Learnt, remarks, seen_before

RADKLIM = KNOWN_GRIDS["radklim"]
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def storm() -> FrameSequence:
    grid = Grid("small", (20, 24), 1.0, RADKLIM.projection, RADKLIM.north_west)
    return replace(storm_sequence(grid, 8, seed=1, end_time=NOON), product="RY")


@pytest.fixture
def event(tmp_path: Path, storm: FrameSequence) -> Path:
    path = tmp_path / "storm.nc"
    path.write_bytes(to_netcdf(storm))
    return path


def record(**told: str) -> dict[str, Any]:
    return {"name": "other.nc", "part": "train", "sha256": "0" * 64, "product": "RY", **told}


def hours_from_noon(first: float, last: float) -> dict[str, str]:
    return {"first": (NOON + timedelta(hours=first)).isoformat(), "last": (NOON + timedelta(hours=last)).isoformat()}


def test_an_event_is_known_again_under_another_name(event: Path, storm: FrameSequence) -> None:
    digest = hashlib.sha256(event.read_bytes()).hexdigest()
    same = record(sha256=digest, **hours_from_noon(5, 6))
    assert seen_before([same], event, storm) == "trained on it (same file)"
    assert seen_before([same | {"part": "validation"}], event, storm) == "chosen by it (same file)"
    both = [same | {"part": "validation"}, record(**hours_from_noon(-2, -0.1))]
    assert seen_before(both, event, storm) == "trained on it (same product and time)"


@pytest.mark.parametrize(
    ("learnt", "seen"),
    [
        ([], "no"),
        (None, "unknown"),
        ([record(**hours_from_noon(-2, -1))], "no"),
        ([record(**hours_from_noon(-2, -0.1))], "trained on it (same product and time)"),
        ([record(product="YW", **hours_from_noon(-2, 2))], "no"),
        ([{"name": "storm.nc", "part": "train"}], "trained on it (same name)"),
        ([{"name": "storm.nc", "part": "train", "sha256": "1" * 64}], "no"),
        ([{"name": "germany", "part": "train", "sha256": "1" * 64, "data_set": True}], "unknown"),
    ],
)
def test_what_is_recorded_decides(learnt: Learnt, seen: str, event: Path, storm: FrameSequence) -> None:
    assert seen_before(learnt, event, storm) == seen


def test_what_a_table_says_of_it() -> None:
    assert remarks({"a": "trained on it (same file)", "b": "no", "c": "unknown", "d": "unknown"}) == [
        "† a has seen this event: trained on it (same file)",
        "It is not recorded whether these have seen this event: c, d",
    ]


def test_baselines_learn_nothing_and_of_others_nobody_knows(event: Path) -> None:
    class Model:
        name, input_length = "model", 1

        def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
            return Persistence().forecast(history, steps)

    (scored,) = evaluate_events([Model(), Persistence()], [event], lead_minutes=5)
    assert scored.seen == {"model": "unknown", "persistence": "no"}


def version(repository: Path, number: str, **manifest: object) -> Path:
    folder = repository / "rain" / number
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder / "model.onnx"


def test_a_version_has_seen_what_its_parents_saw(tmp_path: Path) -> None:
    names = {"data": {"train": ["a.nc"], "validation": ["b.nc"]}}
    version(tmp_path, "1", configuration=names)
    newest = version(tmp_path, "2", parent="rain/1", data=[record(**hours_from_noon(0, 1))])
    learnt = learnt_by(newest)
    assert learnt is not None
    assert {(each["name"], each["part"]) for each in learnt} == {
        ("other.nc", "train"),
        ("a.nc", "train"),
        ("b.nc", "validation"),
    }


@pytest.mark.parametrize("manifest", [{}, {"parent": "rain/9"}, {"parent": "rain/2"}])
def test_a_version_that_does_not_tell_is_unknown(manifest: dict[str, Any], tmp_path: Path) -> None:
    assert learnt_by(version(tmp_path, "2", **manifest)) is None


def test_a_file_without_a_manifest_is_unknown(tmp_path: Path) -> None:
    assert learnt_by(tmp_path / "model.onnx") is None


def test_the_digest_of_a_folder_is_that_of_its_files_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"1")
    (tmp_path / "two").write_bytes(b"2")
    before = folder_sha256(tmp_path, show=False)
    (tmp_path / ".hidden").write_bytes(b"3")
    assert folder_sha256(tmp_path, show=False) == before
    (tmp_path / "two").rename(tmp_path / "a" / "two")
    moved = folder_sha256(tmp_path, show=False)
    (tmp_path / "a" / "two").write_bytes(b"3")
    assert len({before, moved, folder_sha256(tmp_path, show=False)}) == 3
    (told,) = data_set_records("kth", tmp_path, show=False)
    assert told["sha256"] == folder_sha256(tmp_path, show=False)
