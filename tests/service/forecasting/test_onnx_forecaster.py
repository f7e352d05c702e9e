"""Model files in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from models.golden import CARD_KEY, GOLDEN_KEY
from models.onnx_forecaster import load_forecaster
from models.repository import PRETRAINED, champions
from radar.errors import ArtifactRejected, IncompleteHistory, ProviderMissing
from radar.grid import Grid
from tests.service.conftest import sequence, tiny_card, tiny_golden, write_tiny_model


def test_a_model_forecasts_what_its_card_says(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.onnx", tiny_card())
    forecaster = load_forecaster(tmp_path / "model.onnx", "cpu")
    history = sequence(5)
    forecast = forecaster.forecast(history, 3)
    assert (forecaster.name, forecaster.input_length) == ("still", 5)
    assert forecast.rain_rate.shape == (3, 24, 20)
    expected = np.repeat(history.rain_rate[-1:], 3, axis=0)
    np.testing.assert_allclose(forecast.rain_rate, expected, rtol=1e-4)


def test_the_same_question_has_the_same_answer(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.onnx", tiny_card())
    forecaster = load_forecaster(tmp_path / "model.onnx", "cpu")
    one, other = (forecaster.forecast(sequence(5), 4).rain_rate for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_states_are_carried_from_step_to_step(tmp_path: Path) -> None:
    """hidden is the last frame in this model, and comes out one step later in place of 0."""
    import onnx

    path = tmp_path / "model.onnx"
    write_tiny_model(path, tiny_card())
    model = onnx.load(path)
    zero = next(constant for constant in model.graph.initializer if constant.name == "zero")
    zero.CopyFrom(onnx.helper.make_tensor("zero", onnx.TensorProto.FLOAT, [], [1.0]))
    golden = tiny_golden()
    # predictions[0] = frames[1] + base[0]; predictions[1] = frames[2] + base[1]
    echoed = golden.frames[1:3] + golden.base
    metadata = {entry.key: entry for entry in model.metadata_props}
    metadata[GOLDEN_KEY].value = type(golden)(golden.frames, golden.base, echoed).to_text()
    onnx.save(model, path)
    load_forecaster(path, "cpu")


def test_a_model_that_answers_differently_from_its_export_is_rejected(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.onnx", tiny_card(), offset=0.01)
    with pytest.raises(ArtifactRejected, match=r"golden case within 1e-06, got a difference of 0\.01"):
        load_forecaster(tmp_path / "model.onnx", "cpu")


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        ({}, "model card"),
        ({CARD_KEY: "{}"}, "model card"),
        ({CARD_KEY: tiny_card().model_dump_json()}, "golden case"),
        ({CARD_KEY: tiny_card(tolerances={}).model_dump_json(), GOLDEN_KEY: tiny_golden().to_text()}, "tolerance"),
        ({CARD_KEY: tiny_card().model_dump_json(), GOLDEN_KEY: "bm8="}, "golden case"),
    ],
)
def test_a_file_without_what_is_needed_is_rejected(tmp_path: Path, metadata: dict[str, str], what: str) -> None:
    write_tiny_model(tmp_path / "model.onnx", tiny_card(), metadata=metadata)
    with pytest.raises(ArtifactRejected, match=what):
        load_forecaster(tmp_path / "model.onnx", "cpu")


def test_a_file_that_is_no_model_is_rejected_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not an ONNX file")
    with pytest.raises(ArtifactRejected) as raised:
        load_forecaster(tmp_path / "model.onnx", "cpu")
    assert str(tmp_path) not in str(raised.value)


def test_too_few_frames_are_counted(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.onnx", tiny_card())
    with pytest.raises(IncompleteHistory, match="expected 5 frames, 5 minutes apart, got 4"):
        load_forecaster(tmp_path / "model.onnx", "cpu").forecast(sequence(4), 1)


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="this ONNX Runtime has CUDA")
def test_cuda_without_cuda_is_refused_with_the_remedy(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model.onnx", tiny_card())
    with pytest.raises(ProviderMissing, match="RAINCELL_PROVIDER=cpu"):
        load_forecaster(tmp_path / "model.onnx", "cuda")


@pytest.mark.parametrize("name", sorted(champions(PRETRAINED)))
def test_the_bundled_models_forecast_a_batch_as_each_alone(name: str) -> None:
    forecaster = load_forecaster(champions(PRETRAINED)[name], "cpu")
    grid = Grid("odd", (45, 58), 1.0)
    pasts = [sequence(5, grid=grid, seed=seed) for seed in range(3)]
    for past, forecast in zip(pasts, forecaster.forecast_batch(pasts, 3), strict=True):
        alone = forecaster.forecast(past, 3)
        np.testing.assert_allclose(forecast.rain_rate, alone.rain_rate, rtol=1e-4, atol=1e-4)
