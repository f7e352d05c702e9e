"""Evaluation of whole events by forecasters whose scores are known beforehand, and by the bundled model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import netCDF4
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models.baselines import Persistence
from models.card import ModelCard, StateShape
from models.forecaster import Forecaster, forecast_after, newest_frames
from models.golden import CARD_KEY, GOLDEN_KEY, GoldenCase
from models.repository import set_alias
from models.spec import NetworkSpec
from radar.errors import GridMismatch, InvalidRequest, UnreadableFile
from radar.files.netcdf.writer import to_netcdf
from radar.files.open import open_sequence
from radar.grid import KNOWN_GRIDS, Grid
from radar.rain import RainScaling
from radar.scores.pixels import ContingencyTable, contingency, csi
from radar.sequence import Float32, FrameSequence
from radar.synthetic import Weather, storm_sequence
from radar.system.digest import sha256_of
from training.__main__ import main
from training.evaluate.evaluate import distinct_names, evaluate_events, models_and_events
from training.evaluate.table import ScoreRow, markdown_tables, write_json

FRAMES, LEADS = 12, 3
KEYS = {"model", "event", "lead_minutes", "threshold", "csi", "fss", "mae", "starts"}


def write_event(path: Path, seed: int, frames: int = FRAMES, timestep_minutes: int = 5) -> Path:
    """A storm of 60 x 70 pixels whose western edge is out of the radar's sight."""
    radklim = KNOWN_GRIDS["radklim"]
    grid = Grid("small", (60, 70), 1.0, radklim.projection, radklim.north_west)
    end = datetime(2026, 5, 1, 12, tzinfo=UTC)
    storm = storm_sequence(
        grid, frames, seed=seed, end_time=end, timestep_minutes=timestep_minutes, weather=Weather(wet_fraction=0.5)
    )
    storm.rain_rate[:, :, :5] = np.nan
    path.write_bytes(to_netcdf(storm))
    return path


@pytest.fixture(scope="module")
def event(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_event(tmp_path_factory.mktemp("events") / "storm.nc", 4)


@dataclass
class Oracle:
    """Knows the event; tells all of it, or only its northern half, or a multiple of it."""

    event: FrameSequence
    name: str = "oracle"
    input_length: int = 2
    rows: int | None = None
    factor: float = 1.0

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        newest_frames(history, self.input_length)
        first = self.event.valid_times.index(history.valid_times[-1]) + 1
        told: Float32 = self.event.rain_rate[first : first + steps] * np.float32(self.factor)
        if self.rows is not None:
            told[:, self.rows :] = np.nan
        return forecast_after(history, told)


@dataclass
class OfOtherPixels:
    name: str = "coarse"
    input_length: int = 1

    def forecast(self, history: FrameSequence, steps: int) -> FrameSequence:
        raise GridMismatch(expected="pixels of 2 km", got="1 km", remedy="regrid the frames")


def scores_of(
    forecasters: list[Forecaster], *events: Path, lead_minutes: int = 15, fss_km: float = 5.0, stride: int = 1
) -> list[ScoreRow]:
    scored = evaluate_events(
        forecasters, events, lead_minutes=lead_minutes, thresholds=[1.0, 500.0], stride=stride, fss_km=[fss_km]
    )
    return [row for event in scored for row in event.rows()]


def test_what_is_right_scores_full_marks(event: Path) -> None:
    scores = [score for score in scores_of([Oracle(open_sequence([event]))], event) if score.threshold == 1]
    assert [score.lead_minutes for score in scores] == [5, 10, 15]
    for score in scores:
        names = ("csi", "pod", "far", "bias", "fss", "mae")
        assert [score.scores[name] for name in names] == [1, 1, 0, 1, 1, 0]
        assert score.scores["small_scale_power"] == pytest.approx(1)
        assert score.starts == FRAMES - 2 - LEADS + 1


def test_half_the_rain_has_a_quarter_of_the_power_and_half_the_rain_as_error(event: Path) -> None:
    sequence = open_sequence([event])
    score = scores_of([Oracle(sequence, factor=0.5)], event)[0]
    assert score.scores["small_scale_power"] == pytest.approx(0.25, rel=1e-5)
    verified = np.concatenate([sequence.rain_rate[2 + start] for start in range(score.starts)])
    assert score.scores["mae"] == pytest.approx(np.nanmean(verified) / 2, rel=1e-5)
    assert score.scores["bias"] < 1


def test_all_are_scored_on_the_pixels_that_all_forecast(event: Path) -> None:
    sequence = open_sequence([event])
    scores = scores_of([Oracle(sequence), Oracle(sequence, "half", rows=30), Persistence()], event)
    northern = np.isfinite(sequence.rain_rate[0, :30])  # what the radar sees does not change
    assert 0 < northern.sum() < northern.size
    assert {score.pixels for score in scores} == {scores[0].starts * int(northern.sum())}


def test_scores_are_those_of_all_starts_together(event: Path) -> None:
    rain = open_sequence([event]).rain_rate
    (score,) = (
        score for score in scores_of([Persistence()], event) if (score.lead_minutes, score.threshold) == (10, 1)
    )
    tables = (contingency(rain[start], rain[start + 2], 1.0) for start in range(FRAMES - LEADS))
    assert score.scores["csi"] == pytest.approx(csi(sum(tables, ContingencyTable())))


def test_a_stride_leaves_starts_out(event: Path) -> None:
    assert scores_of([Persistence()], event, stride=4)[0].starts == 3  # 0, 4 and 8 of 9


def test_wider_neighbourhoods_forgive_more(event: Path) -> None:
    narrow, wide = (scores_of([Persistence()], event, fss_km=km)[0] for km in (1.0, 15.0))
    assert (narrow.fss_km, wide.fss_km) == (1, 15)
    assert narrow.scores["fss"] < wide.scores["fss"]


def test_a_model_for_other_pixels_is_left_out_and_named(event: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = scores_of([OfOtherPixels(), Persistence()], event)
    assert {score.model for score in scores} == {"persistence"}
    assert "coarse on storm: expected pixels of 2 km" in capsys.readouterr().err


def test_an_event_too_short_is_left_out_and_named(
    event: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = write_event(tmp_path / "short.nc", 5, frames=2)
    scores = scores_of([Oracle(open_sequence([event]))], short, event)
    assert {score.event for score in scores} == {"storm"}
    assert "short" in capsys.readouterr().err


@pytest.mark.parametrize("forecasters", [[], [OfOtherPixels()]])
def test_nothing_to_score_is_an_error(event: Path, forecasters: list[Forecaster]) -> None:
    with pytest.raises(InvalidRequest, match="name a model or a baseline"):
        scores_of(forecasters, event)


@pytest.mark.parametrize("minutes", [-5, 0, 4, 7])
def test_leads_that_are_no_multiple_of_the_timestep_are_an_error(event: Path, minutes: int) -> None:
    with pytest.raises(InvalidRequest, match=rf"multiple of 5 minutes, got {minutes} minutes"):
        scores_of([Persistence()], event, lead_minutes=minutes)


def test_leads_follow_the_timestep_of_the_event(tmp_path: Path) -> None:
    slow = write_event(tmp_path / "slow.nc", 6, timestep_minutes=10)
    scores = scores_of([Persistence()], slow, lead_minutes=60)
    assert [score.lead_minutes for score in scores if score.threshold == 1] == [10, 20, 30, 40, 50, 60]


def named(name: str, version: str = "") -> Forecaster:
    card = SimpleNamespace(version=version) if version else None
    return SimpleNamespace(name=name, card=card)


def test_equal_names_are_told_apart() -> None:
    assert distinct_names([named("a", "1"), named("b", "1")]) == ["a", "b"]
    assert distinct_names([named("a", "1"), named("a", "2"), named("p")]) == ["a 1", "a 2", "p"]
    assert distinct_names([named("a", "1"), named("a", "1")]) == ["a 1", "a 1 (2)"]


def test_models_and_events_are_told_apart(event: Path, repository: Path) -> None:
    model = write_model(repository.with_name("some.onnx"), "some")
    assert models_and_events([event, model, repository]) == ([model, repository], [event])
    assert models_and_events([event.parent]) == ([], [event])


@pytest.mark.parametrize("name", ["missing.nc", "missing.onnx", "missing", ""])
def test_what_is_neither_is_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(UnreadableFile, match=name or "empty") as caught:
        models_and_events([folder / name])
    assert str(tmp_path) not in str(caught.value)


def test_undefined_scores_are_null_and_dashes(event: Path, tmp_path: Path) -> None:
    scores = scores_of([Persistence()], event)
    write_json(tmp_path / "scores.json", scores)
    rows = json.loads((tmp_path / "scores.json").read_text())
    assert all(row.keys() >= KEYS for row in rows)
    heavy = [row for row in rows if row["threshold"] == 500]
    assert len(heavy) == LEADS
    assert all(row["csi"] is row["fss"] is row["bias"] is None for row in heavy)
    assert all(row["mae"] > 0 for row in heavy)
    assert "| persistence | – | – |" in markdown_tables(scores)


def test_the_means_are_those_of_the_leads(event: Path) -> None:
    scores = [score for score in scores_of([Persistence()], event) if score.threshold == 1]
    mean = sum(score.scores["csi"] for score in scores) / len(scores)
    assert f"| persistence | {mean:.3f} |" in markdown_tables(scores)


def write_model(path: Path, name: str) -> Path:
    """An ONNX step that adds nothing to its base, the last frame: it goes on raining just as now."""
    shape: list[str | int | None] = ["batch", 1, "rows", "columns"]
    names = ("frame", "hidden", "prediction", "next_hidden")
    values = {key: helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key in names}
    nodes = [helper.make_node("Sub", ["hidden", "hidden"], ["prediction"])]
    nodes += [helper.make_node("Identity", ["frame"], ["next_hidden"])]
    graph = helper.make_graph(nodes, name, [values[key] for key in names[:2]], [values[key] for key in names[2:]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    card = ModelCard(
        name=name,
        version="1",
        spec=NetworkSpec(cell="convlstm", channels=1),
        timestep_minutes=5,
        pixel_size_km=1.0,
        input_length=3,
        longest_lead_minutes=60,
        scaling=RainScaling(),
        coordinates="eulerian",
        base="persistence",
        states=(StateShape(name="hidden", channels=1, scale=0),),
        pad_multiple=1,
        tolerances={"cpu": 1e-6},
    )
    frames = np.ones((2, 1, 1, 16, 16), np.float32)
    golden = GoldenCase(frames, frames, frames)
    helper.set_model_props(model, {CARD_KEY: card.model_dump_json(), GOLDEN_KEY: golden.to_text()})
    onnx.save(model, path)
    return path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A model repository with one model, "kept"."""
    version = tmp_path / "models" / "kept" / "1"
    version.mkdir(parents=True)
    digest = sha256_of(write_model(version / "model.onnx", "kept"))
    (version / "manifest.json").write_text(json.dumps({"sha256": {"model.onnx": digest}}))
    set_alias(tmp_path / "models", "kept", "champion", "1")
    return tmp_path / "models"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["training", "evaluate", *map(str, arguments)])
    return main()


def test_several_models_and_events_by_the_command_line(
    event: Path,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other, model = write_event(tmp_path / "other.nc", 7), write_model(tmp_path / "given.onnx", "given")
    written = tmp_path / "scores.json"
    options = ("--baselines", "persistence,extrapolation", "--thresholds", "0.5,2", "--lead-minutes", 10)
    assert run(monkeypatch, model, repository, event, other, *options, "--json", written) == 0
    rows = json.loads(written.read_text())
    csi_of = {(row["model"], row["event"], row["lead_minutes"], row["threshold"]): row["csi"] for row in rows}
    assert len(csi_of) == len(rows) == 4 * 2 * 2 * 2  # models, events, leads, thresholds
    for (name, *rest), value in csi_of.items():
        if name in ("given", "kept"):  # both say through ONNX Runtime what persistence says
            assert value == pytest.approx(csi_of["persistence", *rest], abs=0.01), rest
    assert any(csi_of["extrapolation", *rest] != value for (name, *rest), value in csi_of.items() if name == "kept")
    assert "**other**" in capsys.readouterr().out


def test_a_report_by_the_command_line(event: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = write_model(tmp_path / "given.onnx", "given")
    page, written = tmp_path / "report.html", tmp_path / "scores.json"
    options = ("--baselines", "persistence", "--lead-minutes", 10, "--thresholds", 1, "--fss-km", 10)
    assert run(monkeypatch, model, event, *options, "--report", page, "--json", written) == 0
    assert "given" in page.read_text()
    assert json.loads(page.with_suffix(".json").read_text())["scores"] == json.loads(written.read_text())


def test_thresholds_and_widths_by_default(event: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = tmp_path / "scores.json"
    options = ("--baselines", "persistence", "--lead-minutes", 5, "--stride", 4)
    assert run(monkeypatch, event, *options, "--json", written) == 0
    rows = json.loads(written.read_text())
    assert {row["threshold"] for row in rows} == {0.1, 0.5, 1, 2, 5, 10, 30}
    assert {"fss_1km", "fss_5km", "fss_10km", "fss_20km"} < rows[0].keys()
    assert all(row["fss"] == row["fss_10km"] and row["fss_km"] == 10 for row in rows)


def test_the_authors_protocol_by_the_command_line(
    event: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written, options = tmp_path / "scores.json", ("--protocol", "authors", "--lead-minutes", 10, "--thresholds", 1)
    assert run(monkeypatch, event, *options, "--json", written) == 0
    rows = json.loads(written.read_text())
    assert {row["lead_minutes"] for row in rows} == {5, 10}
    assert {row["pixels"] for row in rows} == {60 * 70}  # missing ones, too
    assert "authors' protocol" in capsys.readouterr().out
    assert run(monkeypatch, event, *options, "--report", tmp_path / "report.html") == 1
    assert "expected --json" in capsys.readouterr().err


@pytest.mark.parametrize("options", [("--report", "a.html", "--json", "a.json"), ("--report", "a.json")])
def test_a_report_needs_two_files_of_its_own(
    event: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, event, *options) == 1
    assert "expected a.json to be free" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_a_folder_that_is_missing_for_the_scores_is_told_before_the_work(
    event: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert run(monkeypatch, event, option, tmp_path / "nowhere" / "scores.json") == 1
    captured = capsys.readouterr()
    assert "make it first" in captured.err
    assert not captured.out


def test_thresholds_that_are_none_are_refused_with_what_they_should_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, "models", "event.nc", "--thresholds", "1;5")
    assert "expected numbers above 0, separated by commas, got '1;5'; write them as 0.1,1,5" in capsys.readouterr().err


def test_of_several_variables_the_named_one_is_scored(
    event: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = tmp_path / "several.nc"
    several.write_bytes(event.read_bytes())
    with netCDF4.Dataset(several, "a") as file:
        calm = file.createVariable("calm", "f4", ("time", "y", "x"))
        calm.units, calm.grid_mapping, calm[:] = "mm h-1", "crs", 0
    options = ["--variable", "calm", "--baselines", "persistence", "--lead-minutes", "10", "--json"]
    assert run(monkeypatch, several, *options, tmp_path / "scores.json") == 0
    assert {row["mae"] for row in json.loads((tmp_path / "scores.json").read_text())} == {0}
