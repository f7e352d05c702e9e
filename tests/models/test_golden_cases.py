"""The authors' own forecasts, where RAINCELL_TEST_GOLDEN names the folder of their proof cases."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.network import roll_out
from models.zoo import MODELS, build
from training.reference import convert_parameters


@pytest.fixture(scope="module")
def golden() -> Path:
    folder = os.environ.get("RAINCELL_TEST_GOLDEN", "")
    if not folder:
        pytest.skip("needs the authors' proof cases: set RAINCELL_TEST_GOLDEN to the folder of NAME.npz files")
    return Path(folder)


@pytest.mark.parametrize("name", ["ConvLSTM", "MS-ConvLSTM"])
def test_forecasts_are_the_authors(name: str, golden: Path) -> None:
    with np.load(golden / f"{name}.npz") as case:
        settings = json.loads(str(case["config"]))
        parameters = {key[6:]: torch.from_numpy(case[key]) for key in case.files if key.startswith("param:")}
        frames, outputs = case["frames"], case["outputs"]
    spec = replace(MODELS[name.lower()], channels=settings["hidden"], authors_quirks=True)
    network = build(spec)
    network.load_state_dict(convert_parameters(parameters, spec))
    with torch.no_grad():
        answered = roll_out(network, torch.from_numpy(frames[: settings["in_len"]]), settings["out_len"])
    assert answered.shape == outputs.shape
    assert np.abs(answered.numpy() - outputs).max() < 1e-5


def test_missing_and_unexpected_parameters_are_named() -> None:
    spec = replace(MODELS["convlstm"], channels=4)
    with pytest.raises(ValueError, match=r"embed\.conv_embed\.weight"):
        convert_parameters({}, spec)
