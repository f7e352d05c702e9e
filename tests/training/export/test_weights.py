"""The way back from an ONNX file: the same weights, the same forecasts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from models.repository import PRETRAINED, champions
from radar.errors import ArtifactRejected
from tests.exported import SIXTEEN, exported
from training.export.weights import network_of
from training.fit.checkpoint import load_checkpoint


@pytest.mark.parametrize("name", SIXTEEN)
def test_weights_come_back_bit_by_bit(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    model = exported(name, tmp_path_factory)
    trained, back = load_checkpoint(model.checkpoint)[0], network_of(model.file())
    assert back.spec == trained.spec
    for (key, weight), other in zip(trained.state_dict().items(), back.state_dict().values(), strict=True):
        if "adapter" not in key:  # of the training loss alone: no forecast needs it
            assert torch.equal(weight, other), key


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ms-convlstm", "ms-preciplstm"])
def test_the_bundled_models_can_be_trained_on(name: str) -> None:
    network_of(champions(PRETRAINED)[name])  # within 1e-5 of the file, or it is refused


def test_a_network_that_would_forecast_otherwise_is_refused(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = onnx.load(exported("ms-convlstm", tmp_path_factory).file())
    (weight,) = (part for part in model.graph.initializer if part.name == "head.weight")
    # Under another name the network does not find it, and draws another.
    weight.name = "renamed"
    for node in model.graph.node:
        node.input[:] = ["renamed" if name == "head.weight" else name for name in node.input]
    onnx.save(model, tmp_path / "model.onnx")
    assert np.abs(numpy_helper.to_array(weight)).max() > 0
    with pytest.raises(ArtifactRejected, match="differences of"):
        network_of(tmp_path / "model.onnx")
