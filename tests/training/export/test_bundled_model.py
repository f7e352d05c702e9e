"""What the README says of the bundled models, on events that they never saw."""

from __future__ import annotations

import json
import runpy
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import numpy as np
import onnxruntime as ort
import pytest

from models.baselines import BASELINES
from models.onnx_forecaster import load_forecaster, read_card_of
from models.repository import PRETRAINED, champions, read_manifest
from radar.grid import Grid
from radar.sequence import FrameSequence, times_after
from training.config.config import FitConfig, load_config, make_config
from training.evaluate.evaluate import evaluate_events, open_forecasters

MOST_BYTES = 3_000_000
KEPT_OUT = ("mch_ch_20170131.nc", "dwd_yw_20170816.nc")
CONFIGURATIONS = Path(__file__).parents[3] / "training" / "configs"
BUNDLED = ("ms-convlstm", "ms-preciplstm")


def configuration(name: str) -> FitConfig:
    return load_config(CONFIGURATIONS / f"{name}.toml")


@pytest.mark.parametrize("name", BUNDLED)
def test_it_is_small_and_says_where_it_comes_from(name: str) -> None:
    path = champions(PRETRAINED)[name]
    card = read_card_of(path)
    assert path.stat().st_size <= MOST_BYTES
    assert (card.name, card.input_length, card.timestep_minutes, card.pixel_size_km) == (name, 5, 5, 1.0)
    assert card.spec == configuration(name).network
    assert card.spec.patch >= 4
    assert card.longest_lead_minutes >= 60
    last = {"ms-convlstm": "Deutscher Wetterdienst", "ms-preciplstm": "this project"}[name]  # its own storms
    assert {source.owner for source in card.data} == {"KNMI", "Finnish Meteorological Institute", last}
    assert all(source.licence for source in card.data)


@pytest.mark.parametrize("name", BUNDLED)
def test_it_was_made_by_the_committed_configuration(name: str) -> None:
    card = read_card_of(champions(PRETRAINED)[name])
    manifest = read_manifest(PRETRAINED, name, card.version)
    assert card.lineage.configuration_sha256 == configuration(name).sha256
    assert make_config(manifest["configuration"]) == configuration(name)


@pytest.mark.parametrize("name", BUNDLED)
def test_what_it_is_judged_by_was_kept_out(name: str) -> None:
    data = configuration(name).data
    assert set(KEPT_OUT) <= set(data.kept_out)
    assert not {*data.train, *data.validation} & set(KEPT_OUT)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_dry_picture_stays_dry(name: str) -> None:
    (forecaster,) = open_forecasters([champions(PRETRAINED)[name]])
    benchmark = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "dry.py"))
    rain_rate = benchmark["after_dry_frames"](forecaster)
    assert (rain_rate > 0).mean() < 0.005
    assert rain_rate.max() < 0.1  # what counts as rain


@pytest.mark.parametrize("name", BUNDLED)
def test_a_step_computes_and_does_not_shuffle(name: str, tmp_path: Path) -> None:
    """Of the sharper model, version 3 spent a third of its time on transposing, version 4 a quarter on copying."""
    path = champions(PRETRAINED)[name]
    forecaster = load_forecaster(path, "cpu")
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "step")
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    edge = 16 * forecaster.card.pad_multiple
    states = forecaster.step.start(1, edge, edge).current
    inputs = {name: state.numpy() for name, state in states.items()}
    inputs["frame"] = np.zeros((1, len(forecaster.card.spec.inputs), edge, edge), np.float32)
    for _ in range(3):
        session.run(None, inputs)
    spent: Counter[str] = Counter()
    for event in json.loads(Path(session.end_profiling()).read_text()):
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    moved = sum(spent[operator] for operator in ("Transpose", "Slice", "Concat", "Gather"))
    assert 0 < moved < 0.22 * spent.total(), spent.most_common(5)


@pytest.mark.slow
@pytest.mark.parametrize("event", KEPT_OUT)
def test_both_beat_persistence_and_the_sharp_one_keeps_heavy_rain(event: str, real_data: Path) -> None:
    (scored,) = evaluate_events(
        [*open_forecasters([PRETRAINED]), BASELINES["persistence"], BASELINES["extrapolation"]],
        [real_data / "events" / event],
        lead_minutes=60,
        thresholds=[1.0, 5.0],
        stride=4,
    )
    scores = scored.rows()
    rows = {(score.model, score.lead_minutes): score for score in scores if score.threshold == 1}
    leads = sorted({score.lead_minutes for score in scores if score.lead_minutes >= 10})
    assert leads[-1] >= 35
    for lead in leads:
        for name in BUNDLED:
            model, persistence = rows[name, lead], rows["persistence", lead]
            assert model.scores["csi"] > persistence.scores["csi"], (name, lead)
            assert model.scores["mae"] < persistence.scores["mae"], (name, lead)
    heavy = {
        name: fmean(s.scores["csi"] for s in scores if (s.model, s.threshold) == (name, 5) and s.lead_minutes <= 30)
        for name in ("ms-preciplstm", "extrapolation")
    }
    assert heavy["ms-preciplstm"] > 0.98 * heavy["extrapolation"]


@pytest.mark.parametrize("drizzle", [0.0, 0.04])
@pytest.mark.parametrize("name", sorted(champions(PRETRAINED)))
def test_a_dry_picture_stays_dry_to_the_last_bit(name: str, drizzle: float) -> None:
    forecaster = load_forecaster(champions(PRETRAINED)[name], "cpu", threads=1)
    rain = np.zeros((forecaster.input_length, 64, 72), np.float32)
    rain[:, :4] = np.nan
    rain[-1, 10] = drizzle  # below what the model takes for rain
    grid = Grid("64x72", rain.shape[1:], forecaster.card.pixel_size_km)
    times = times_after(datetime(2024, 1, 1, tzinfo=UTC), len(rain), forecaster.card.timestep_minutes)
    forecast = forecaster.forecast(FrameSequence(rain, times, grid, forecaster.card.timestep_minutes), 12).rain_rate
    np.testing.assert_array_equal(np.isnan(forecast), np.broadcast_to(np.isnan(rain[-1]), forecast.shape))
    assert float(np.nanmax(forecast)) <= np.float32(drizzle) * 1.0001  # it may go on, and never grows
