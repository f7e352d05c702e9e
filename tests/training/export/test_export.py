"""Exported files: what is in the graphs, and that they forecast as their networks do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, numpy_helper, shape_inference

import training.export.card
import training.export.export
from models.onnx_forecaster import load_forecaster, read_card_of
from models.recurrent import MOST_GROWTH
from models.repository import champions
from models.zoo import build
from radar.errors import ArtifactRejected
from radar.grid import Grid
from radar.synthetic import storm_sequence
from radar.system.digest import sha256_of
from tests.exported import SIXTEEN, Exported, exported, tiny_config, tiny_spec
from training.export.export import export, write_model
from training.export.graph import one_step_graph
from training.export.parity import network_difference
from training.export.torch_step import TorchStep
from training.fit.checkpoint import load_checkpoint

CONVOLUTIONS = {
    "convlstm": (1, 1, 1),
    "trajgru": (4, 4, 4),
    "predrnn": (4, 4, 4),
    "predrnn++": (5, 6, 5),  # the gradient highway is in the second layer
    "mim": (4, 8, 8),  # the first layer needs neither of the two modules
    "motionrnn": (10, 14, 8),  # the last layer needs no MotionGRU
    "predrnn-v2": (4, 4, 4),
    "preciplstm": (8, 8, 8),
}
"""Of each layer: one for each group of gates, of x and h together."""
SIZES = ((1, 37, 59), (2, 61, 22), (2, 7, 3))
"""Batch, rows, columns: odd, and smaller than the window of attention."""
QUIRKY = [prefix + cell for cell in ("trajgru", "mim", "motionrnn") for prefix in ("", "ms-")]


@pytest.fixture(scope="module")
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return exported(request.param, tmp_path_factory)


def graph_of(path: Path) -> onnx.GraphProto:
    return onnx.load(path).graph


@pytest.mark.parametrize("model", SIXTEEN, indirect=True)
class TestEveryModel:
    def test_it_forecasts_as_torch_does(self, model: Exported) -> None:
        network, _, _ = load_checkpoint(model.checkpoint)
        forecaster = load_forecaster(model.file(), "cpu")
        for shape in SIZES:
            assert network_difference(forecaster.step, TorchStep(network), forecaster.card, shape) <= 1e-5, shape
        parity = model.manifest["parity"]
        assert parity["steps"] == 12
        assert 0 <= parity["largest_difference_network_units"] <= 1e-5
        assert 0 <= parity["largest_difference_mm_per_hour"] <= 0.01
        numbers = dict(model.manifest["sound_numbers"])
        assert numbers.pop("dry") == 0
        assert len(numbers) == 6
        assert max(numbers.values()) <= MOST_GROWTH * (1 + 1e-5)

    def test_any_grid_is_forecast(self, model: Exported) -> None:
        forecaster = load_forecaster(model.file(), "cpu")
        for shape in ((124, 31), (7, 125), (1, 2)):
            past = storm_sequence(Grid("any", shape, 1.0), 3, seed=1, end_time=datetime(2026, 1, 1, tzinfo=UTC))
            forecast = forecaster.forecast(past, 2).rain_rate
            np.testing.assert_array_equal(np.isnan(forecast), np.isnan(past.rain_rate[-1:]).repeat(2, axis=0))

    def test_its_states_are_those_of_its_card(self, model: Exported) -> None:
        card = read_card_of(model.file())
        assert onnx.load(model.file()).opset_import[0].version == 18
        graph = graph_of(model.file())
        names = [state.name for state in card.states]
        assert [value.name for value in graph.input] == ["frame", *names]
        assert [value.name for value in graph.output] == ["prediction", *(f"next_{name}" for name in names)]
        for value in graph.input:
            batch, channels, rows, columns = value.type.tensor_type.shape.dim
            assert channels.dim_value > 0
            assert not any(size.HasField("dim_value") for size in (batch, rows, columns))

    def test_it_computes_what_reaches_the_output_and_nothing_else(self, model: Exported) -> None:
        graph = graph_of(model.file())
        cell = read_card_of(model.file()).spec.cell
        assert Counter(node.op_type for node in graph.node)["Conv"] == sum(CONVOLUTIONS[cell]) + 2
        assert not [name for name in names_of(graph) if "adapter" in name]
        assert useless(graph) == set()

    def test_its_float16_file_is_the_same_model(self, model: Exported) -> None:
        card, half = (read_card_of(model.file(precision)) for precision in ("float32", "float16"))
        assert (card.precision, half.precision) == ("float32", "float16")
        changed: dict[str, Any] = {"precision": None, "tolerances": {}, "graph_sha256": ""}
        assert half.model_copy(update=changed) == card.model_copy(update=changed)
        assert half.tolerances["cpu"] > card.tolerances["cpu"]
        one, other = (load_forecaster(model.file(precision), "cpu").step for precision in ("float32", "float16"))
        assert 0 < network_difference(one, other, card, (2, 37, 59)) < half.tolerances["cpu"]

    def test_its_float16_file_keeps_float32_where_it_must(self, model: Exported) -> None:
        session = ort.InferenceSession(str(model.file("float16")), providers=["CPUExecutionProvider"])
        assert {value.type for value in (*session.get_inputs(), *session.get_outputs())} == {"tensor(float)"}
        inferred = shape_inference.infer_shapes(onnx.load(model.file("float16")), strict_mode=True).graph
        types = types_of(inferred)
        for node in inferred.node:
            if node.op_type in ("Conv", "ConvTranspose"):
                assert {types[name] for name in (*node.input, *node.output)} == {TensorProto.FLOAT16}
            if node.op_type == "GridSample":
                assert {types[name] for name in (*node.input, *node.output)} == {TensorProto.FLOAT}
            if node.op_type == "Div":  # positions on the grid
                assert types[node.output[0]] in (TensorProto.FLOAT, TensorProto.INT64)
        assert useless(inferred) == set()

    def test_the_manifest_vouches_for_both_files_and_says_what_half_precision_costs(self, model: Exported) -> None:
        assert champions(model.repository) == {model.name: model.file()}
        manifest = model.manifest
        files = {model.file(precision).name: sha256_of(model.file(precision)) for precision in ("float32", "float16")}
        assert manifest["sha256"] == files
        cost = manifest["float16"]
        assert "seeds 1 to 4" in cost["storms"]
        assert 0 < cost["largest_difference_mm_per_hour"] < 5
        for score in ("csi_1_mm_per_hour", "mae_mm_per_hour"):
            if cost["float32"][score] is not None:
                assert cost["difference"][score] == pytest.approx(cost["float16"][score] - cost["float32"][score])
        assert abs(cost["difference"]["mae_mm_per_hour"]) < 0.01 * cost["float32"]["mae_mm_per_hour"]


def names_of(graph: onnx.GraphProto) -> list[str]:
    return [tensor.name for tensor in graph.initializer]


def types_of(graph: onnx.GraphProto) -> dict[str, int]:
    values = (*graph.input, *graph.output, *graph.value_info)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}


def useless(graph: onnx.GraphProto) -> set[str]:
    """Weights, and outputs of nodes, that no output of the graph depends on."""
    producers = {name: node for node in graph.node for name in node.output}
    needed: set[str] = set()
    waiting: list[str] = [output.name for output in graph.output]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += producers[name].input if name in producers else []
    made = names_of(graph) + [node.output[0] for node in graph.node if not needed & set(node.output)]
    return {name for name in made if name not in needed}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUIRKY)
def test_the_authors_arithmetic_is_exported_too(name: str, tmp_path: Path) -> None:
    """The other five cells know no quirks."""
    torch.manual_seed(1)
    network = build(replace(tiny_spec(name), authors_quirks=True)).eval()
    config = tiny_config(name, network.spec)
    card = write_model(tmp_path / "model.onnx", network, config, "1", "")
    step = load_forecaster(tmp_path / "model.onnx", "cpu").step
    for shape in SIZES:
        assert network_difference(step, TorchStep(network), card, shape) <= 1e-5, shape


def test_the_command_writes_without_float16_where_asked_and_is_quiet(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = exported("ms-convlstm", tmp_path_factory)
    arguments = ["--repository", str(tmp_path), "--version", "2", "--no-float16"]
    command = [sys.executable, "-m", "training", "export", str(model.checkpoint), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    written = tmp_path / "ms-convlstm" / "2"
    assert sorted(path.name for path in written.iterdir()) == ["manifest.json", "model.onnx"]
    manifest = json.loads((written / "manifest.json").read_text())
    assert list(manifest["sha256"]) == ["model.onnx"]
    assert "float16" not in manifest
    assert done.stderr == ""


def test_a_network_that_asks_for_a_size_is_not_exported_for_that_size_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build(tiny_spec("convlstm")).eval()
    forward = network.forward

    def asks(frame: torch.Tensor, states: Any) -> Any:
        frame = frame * 2 if frame.shape[2] == 3 * network.spec.pad_multiple else frame
        return forward(frame, states)

    monkeypatch.setattr(network, "forward", asks)
    with pytest.raises(ValueError, match=r"any batch, rows and columns, got \['batch', 1, 12, '4\*columns"):
        one_step_graph(network)


@pytest.mark.parametrize("fault", ["golden", "parity"])
def test_a_refused_export_leaves_nothing_behind(
    fault: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = exported("ms-convlstm", tmp_path_factory)
    wrong = onnx.load(model.file())
    del wrong.metadata_props[:]
    (bias,) = (part for part in wrong.graph.initializer if part.name == "head.bias")
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(1e-3), bias.name))
    monkeypatch.setattr(training.export.export, "one_step_graph", lambda _: wrong)
    if fault == "parity":  # a card that lets the golden case pass
        monkeypatch.setitem(training.export.card.TOLERANCES, "float32", {"cpu": 1.0})
    with pytest.raises(ArtifactRejected, match="golden case" if fault == "golden" else "network units"):
        export(model.checkpoint, tmp_path / "models", "1")
    assert list(tmp_path.iterdir()) == []
