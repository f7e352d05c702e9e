"""A baseline that is added to the one list is scored by every command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.baselines import BASELINES
from radar.archive.file import Series
from radar.files.netcdf.writer import to_netcdf
from tests.models.test_baselines import Dry
from tests.training.small_world import GRID, NOON, storm
from training.__main__ import main
from training.hindcast.plan import HindcastPlan
from training.retrain.trial import frames_tested


@pytest.fixture(autouse=True)
def _one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BASELINES, "dry", Dry(input_length=6))


def test_evaluate_scores_it_unless_asked_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event, scores = tmp_path / "storm.nc", tmp_path / "scores.json"
    event.write_bytes(to_netcdf(storm(NOON, 8)))
    command = ["training", "evaluate", str(event), "--lead-minutes", "5", "--thresholds", "1", "--json", str(scores)]
    monkeypatch.setattr("sys.argv", command)
    assert main() == 0
    rows = {row["model"]: row for row in json.loads(scores.read_text())}
    assert list(rows) == ["persistence", "extrapolation", "smoothed", "sprog-cdf", "sprog-mean", "dry"]
    assert (rows["dry"]["pod"], rows["dry"]["seen"]) == (0, "no")  # it hits nothing, and has learnt from nothing


def test_a_hindcast_and_a_trial_have_it_beside_the_model() -> None:
    plan = HindcastPlan("rain/1", "", Series("RY", GRID, 5), 6, 1, 1, (1.0,), (NOON,), ())
    assert plan.forecasters == ("rain/1", "persistence", "extrapolation", "sprog-cdf", "sprog-mean", "dry")
    assert frames_tested(3, 2) == 6 + 2
