"""Models with a distribution in `evaluate`: their forms, their CRPS, scores at equal area, and STEPS beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.baselines import BASELINES
from models.exceedance.forecaster import ExceedanceForecaster
from models.onnx_forecaster import load_forecaster
from models.recurrent import State
from radar.files.netcdf.writer import to_netcdf
from radar.grid import Grid
from radar.sequence import Float32, FrameSequence
from radar.synthetic import storm_sequence
from tests.service.dressed_model import write_dressed_model
from training.__main__ import main
from training.evaluate.probabilities import ask, method_of
from training.evaluate.statistics import with_statistics
from training.evaluate.steps import Steps

END = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def event() -> FrameSequence:
    return storm_sequence(Grid("small", (60, 72), 1.0), 9, seed=4, end_time=END)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_dressed_model(folder)
    return folder


def test_the_forms_are_those_of_the_forecaster_from_one_pass(event: FrameSequence, repository: Path) -> None:
    forecaster = load_forecaster(repository / "dressed" / "1" / "model.onnx", "cpu")
    assert isinstance(forecaster, ExceedanceForecaster)
    forms = with_statistics([forecaster, BASELINES["persistence"]], ["p90", "median"])
    assert [form.name for form in forms] == ["dressed", "dressed median", "dressed p90", "persistence"]
    assert [method_of(form) for form in forms] == ["model"] * 3 + ["neighbourhood"]
    history, steps = event.last(5), CountedSteps(forecaster)
    assert [ask(form, history, 3, [1.0]).rain_rate.shape for form in forms] == [(3, 60, 72)] * 4
    assert steps.count == 3  # of one pass for the three forms
    for form, name in zip(forms, ("matched", "median", "p90"), strict=False):
        answered = ask(form, history, 3, [0.1, 3.0])
        np.testing.assert_array_equal(answered.rain_rate, forecaster.statistic(history, 3, name).rain_rate)  # type: ignore[arg-type]
        np.testing.assert_array_equal(answered.stated, forecaster.probabilities(history, 3, [0.1, 3.0]))


def test_the_command_scores_forms_beside_baselines(event: FrameSequence, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "storm.nc").write_bytes(to_netcdf(event))
    options = ["--lead-minutes", "15", "--thresholds", "0.1,1,5", "--fss-km", "10", "--statistics", "median"]
    names = ["--baselines", "extrapolation,sprog-cdf", "--json", str(tmp_path / "scores.json")]
    assert run(["evaluate", str(repository), str(tmp_path / "storm.nc"), *options, *names]) == 0
    rows = {(row["model"], row["lead_minutes"], row["threshold"]): row for row in read(tmp_path / "scores.json")}
    picture, median = rows["dressed", 10, 1], rows["dressed median", 10, 1]
    reference, other = rows["sprog-cdf", 10, 1], rows["extrapolation", 10, 1]
    assert picture["crps"] == median["crps"] > 0  # of one distribution
    assert reference["crps"] is None
    assert picture["mae"] != median["mae"]
    assert reference["csi_equal_area"] == pytest.approx(reference["csi"])  # it has that area
    assert 0 < other["csi_equal_area"] <= 1
    assert other["csi_equal_area"] != other["csi"]


def test_without_the_reference_there_is_no_equal_area(event: FrameSequence, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "storm.nc").write_bytes(to_netcdf(event))
    options = ["--lead-minutes", "5", "--thresholds", "1", "--fss-km", "10", "--baselines", "persistence"]
    scores = tmp_path / "scores.json"
    assert run(["evaluate", str(repository), str(tmp_path / "storm.nc"), *options, "--json", str(scores)]) == 0
    assert {row["csi_equal_area"] for row in read(scores)} == {None}


@pytest.mark.parametrize(
    ("option", "text"),
    [(("--statistics", "mode"), "mode"), (("--baselines", "step"), "step")],
)
def test_unknown_names_are_refused(
    option: tuple[str, str], text: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", str(repository), str(repository), *option]) == 1
    assert f"got {text}; check the names" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("pysteps") is not None, reason="pysteps is installed")
def test_steps_without_pysteps_says_what_to_install(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(repository), str(repository), "--baselines", "steps"]) == 1
    assert "pip install pysteps" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("pysteps") is None, reason="needs pysteps")
def test_steps_repeats_itself_and_keeps_missing_pixels(event: FrameSequence) -> None:
    event.rain_rate[-1, :, :4] = np.nan
    steps = Steps(members=4)
    members = steps.ensemble(event, 2)
    assert members.shape == (4, 2, 60, 72)
    assert np.isnan(members[:, :, :, :4]).all()
    np.testing.assert_array_equal(members, steps.ensemble(event, 2))
    assert np.nanstd(members[:, 1], axis=0).max() > 0


class CountedSteps:
    """Counts the steps of a forecaster's network that predict."""

    def __init__(self, forecaster: ExceedanceForecaster) -> None:
        self.count, self._step = 0, forecaster.step
        forecaster.step = self

    def start(self, batch: int, rows: int, columns: int) -> State:
        return self._step.start(batch, rows, columns)

    def observe(self, frame: Float32, state: State) -> State:
        return self._step.observe(frame, state)

    def __call__(self, frame: Float32, state: State) -> tuple[Float32, State]:
        self.count += 1
        return self._step(frame, state)


def run(arguments: list[str]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["training", *arguments])
        return main()


def read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text())
    return rows
