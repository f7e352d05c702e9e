"""Exported files: what is in the graphs, and that they forecast as their networks do."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import training.export.card
import training.export.export
from models.golden import CARD_KEY
from models.onnx_forecaster import load_forecaster, read_card_of
from models.recurrent import MOST_GROWTH
from models.repository import champions, write_json
from models.zoo import build
from radar.errors import ArtifactRejected
from radar.grid import Grid
from radar.synthetic import storm_sequence
from radar.system.digest import sha256_of
from tests.exported import BY_COMMAND, SIXTEEN, Exported, exported, tiny_config, tiny_spec
from training.export.export import export, write_model
from training.export.graph import one_step_graph
from training.export.parity import network_difference
from training.export.torch_step import TorchStep
from training.export.weights import network_of
from training.fit.checkpoint import load_checkpoint
from training.promote.proved import prove

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

    def test_the_manifest_vouches_for_its_file(self, model: Exported) -> None:
        assert champions(model.repository) == {model.name: model.file()}
        assert model.manifest["sha256"] == {"model.onnx": sha256_of(model.file())}


def test_a_version_with_half_precision_beside_it_is_proved_and_promoted_as_before(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Earlier versions of this project wrote model.fp16.onnx and what it costs."""
    model = exported("ms-convlstm", tmp_path_factory)
    repository = Path(shutil.copytree(model.repository, tmp_path / "models"))
    half = repository / model.name / "1" / "model.fp16.onnx"
    in_half_precision(model.file(), half)
    told = {"sha256": model.manifest["sha256"] | {half.name: sha256_of(half)}, "float16": {"storms": "seeds 1 to 4"}}
    write_json(half.with_name("manifest.json"), model.manifest | told)
    assert prove(repository, model.name, "1").card == read_card_of(model.file())
    assert champions(repository) == {model.name: repository / model.name / "1" / "model.onnx"}
    with pytest.raises(ArtifactRejected, match="in float32, got float16"):
        network_of(half)


def in_half_precision(model: Path, path: Path) -> None:
    """The model under a card that says so: as much of such a file as anybody looks at."""
    graph = onnx.load(model)
    for entry in graph.metadata_props:
        if entry.key == CARD_KEY:
            entry.value = read_card_of(model).model_copy(update={"precision": "float16"}).model_dump_json()
    onnx.save(graph, path)


def names_of(graph: onnx.GraphProto) -> list[str]:
    return [tensor.name for tensor in graph.initializer]


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


def test_the_command_writes_one_model_file_and_is_quiet(tmp_path_factory: pytest.TempPathFactory) -> None:
    model = exported(BY_COMMAND, tmp_path_factory)
    assert sorted(path.name for path in model.file().parent.iterdir()) == ["manifest.json", "model.onnx"]
    assert list(model.manifest["sha256"]) == ["model.onnx"]
    assert model.errors.read_text() == ""


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
        monkeypatch.setitem(training.export.card.TOLERANCES, "cpu", 1.0)
    with pytest.raises(ArtifactRejected, match="golden case" if fault == "golden" else "network units"):
        export(model.checkpoint, tmp_path / "models", "1")
    assert list(tmp_path.iterdir()) == []
