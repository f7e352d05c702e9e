"""The project's own proof cases, and the literal reference that made them: all sixteen models against both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.cells.warp import Warp
from models.network import roll_out, roll_out_with_penalties
from models.zoo import MODELS, build
from tests.reference import make_proof_cases as proof
from tests.reference.literal import forecast
from tests.reference.operators import block_attention, looped_attention, unfold_attention
from tests.reference.operators import warp as literal_warp
from tests.reference.parameters import parameter_shapes, random_parameters
from training.authors.reference import TOLERANCE, check_reference
from training.authors.weights import convert_parameters

EXACT = 1e-10
RECURRENT = {
    "convlstm": "_conv_h2h",
    "trajgru": "_conv_h2f",
    "predrnn": "_conv_m2h_m",
    "predrnn++": "_conv_x_c_m",
    "mim": "_conv_n2h_n",
    "motionrnn": "_conv_z",
    "predrnn-v2": "_conv_m2h_m",
    "preciplstm": "LA.conv1",
}


@pytest.mark.parametrize("name", proof.NAMES)
def test_all_models_forecast_as_their_proof_cases(name: str) -> None:
    difference = check_reference(proof.FOLDER / f"{name}.npz")
    assert (difference.model, difference.model.lower() in MODELS) == (name, True)
    assert difference.outputs < TOLERANCE
    assert (difference.decoupling is not None) == name.endswith("PredRNN-V2")
    assert difference.largest < TOLERANCE


def test_every_model_has_a_proof_case() -> None:
    assert {path.stem.lower() for path in proof.FOLDER.glob("*.npz")} == set(MODELS)


@pytest.mark.parametrize("name", proof.NAMES)
def test_one_wrong_weight_fails_the_check(name: str, tmp_path: Path) -> None:
    with np.load(proof.FOLDER / f"{name}.npz") as case:
        arrays = {key: case[key] for key in case.files}
    arrays[f"param:rnns.lstm.1.{RECURRENT[name.lower().removeprefix('ms-')]}.weight"].flat[0] += 1e-2
    np.savez(tmp_path / "damaged.npz", allow_pickle=False, **arrays)
    assert check_reference(tmp_path / "damaged.npz").outputs > TOLERANCE


@pytest.mark.parametrize("name", proof.NAMES)
def test_the_proof_cases_are_what_their_script_makes(name: str, tmp_path: Path) -> None:
    made = proof.save_case(proof.make_case(name), tmp_path)
    with np.load(made) as anew, np.load(proof.FOLDER / made.name) as committed:
        assert anew.files == committed.files
        for key in committed.files:
            if committed[key].dtype.kind == "f":
                np.testing.assert_allclose(anew[key], committed[key], atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", proof.NAMES)
def test_proof_cases_show_the_states(name: str) -> None:
    """A network that forgets h forecasts otherwise, by far more than the tolerance."""
    case = proof.make_case(name)
    with np.load(proof.FOLDER / f"{name}.npz") as committed:
        outputs = committed["outputs"]
    forgetful = forecast(name, case.parameters, case.frames[:3], 2, window=6, quirks=True, forgets_h=True)
    assert np.abs(forgetful.outputs.numpy() - outputs).max() > 1000 * TOLERANCE


@pytest.mark.parametrize("name", proof.NAMES)
def test_the_sound_mode_is_the_literal_one(name: str) -> None:
    # Odd at every scale that the cell leaves free: 5 x 7 or 3 x 5 at the coarsest.
    rows, columns = (24, 40) if name == "MS-MotionRNN" else (20, 28) if name.startswith("MS-") else (10, 14)
    window, leads = 6, 2
    parameters = {key: value.double() for key, value in random_parameters(name, 4, 6, seed=7).items()}
    frames = proof.smooth_noise(3, 2, rows, columns).double()
    spec = replace(MODELS[name.lower()], channels=4, attention_window=window)
    network = build(spec).double()
    network.load_state_dict(convert_parameters(parameters, spec))
    with torch.no_grad():
        ours = roll_out_with_penalties(network, frames, leads)
        literal = forecast(name, parameters, frames, leads, window=window, quirks=False)
    torch.testing.assert_close(ours.outputs, literal.outputs, atol=EXACT, rtol=EXACT)
    if ours.penalties is not None:
        torch.testing.assert_close(ours.penalties, literal.decoupling, atol=EXACT, rtol=EXACT)


@pytest.mark.parametrize("name", proof.NAMES)
def test_samples_of_a_batch_are_independent(name: str) -> None:
    spec = replace(MODELS[name.lower()], channels=4, attention_window=6, authors_quirks=True)
    network = build(spec).double()
    network.load_state_dict(
        convert_parameters({k: v.double() for k, v in random_parameters(name, 4, 6, seed=8).items()}, spec)
    )
    frames = proof.smooth_noise(3, 2, 16, 24).double()
    with torch.no_grad():
        together = roll_out(network, frames, 2)
        alone = torch.cat([roll_out(network, sample, 2) for sample in torch.split(frames, 1, dim=1)], dim=1)
    torch.testing.assert_close(together, alone, atol=EXACT, rtol=EXACT)
    assert not torch.allclose(alone[:, 0], alone[:, 1], atol=1e-3)


def _flow(u: float, v: float, rows: int, columns: int) -> Tensor:
    return torch.tensor([u, v], dtype=torch.float64)[:, None, None].expand(2, rows, columns)[None]


@pytest.mark.parametrize("size", [(6, 9), (1, 5), (5, 1), (1, 1)])
def test_zero_flow_is_the_identity(size: tuple[int, int]) -> None:
    array = torch.rand(1, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(Warp()(array, _flow(0, 0, *size))[0], array, atol=EXACT, rtol=0)


def test_whole_flows_move_by_whole_pixels_and_zeros_come_in() -> None:
    array = torch.rand(1, 2, 6, 9, dtype=torch.float64)
    expected = torch.zeros_like(array)
    expected[:, :, 1:, :-2] = array[:, :, :-1, 2:]  # sampled at (column + 2, row - 1)
    torch.testing.assert_close(Warp()(array, _flow(2, -1, 6, 9))[0], expected, atol=EXACT, rtol=0)


def test_narrow_arrays_move_along_and_out() -> None:
    column = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64).reshape(1, 1, 3, 1)
    (moved,) = Warp()(column, _flow(0, 1, 3, 1))
    torch.testing.assert_close(moved.flatten(), torch.tensor([2.0, 3, 0], dtype=torch.float64), atol=EXACT, rtol=0)
    (half,) = Warp()(column, _flow(0.5, 0, 3, 1))
    torch.testing.assert_close(half, column / 2, atol=EXACT, rtol=0)


@pytest.mark.parametrize("quirks", [False, True])
@pytest.mark.parametrize("size", [(6, 9), (1, 5), (7, 1)])
def test_flows_of_any_length_move_as_the_literal_ones(size: tuple[int, int], quirks: bool) -> None:
    array, flows = torch.rand(2, 3, *size, dtype=torch.float64), 4 * torch.randn(2, 6, *size, dtype=torch.float64)
    for ours, flow in zip(Warp(mixed_conventions=quirks)(array, flows), torch.split(flows, 2, dim=1), strict=True):
        torch.testing.assert_close(ours, literal_warp(array, flow, quirks=quirks), atol=EXACT, rtol=0)


@pytest.mark.parametrize("window", [6, 7])
def test_the_references_three_forms_of_attention_agree(window: int) -> None:
    queries, keys, values = torch.randn(3, 2, 4, 5, 11, dtype=torch.float64)
    looped = looped_attention(queries, keys, values, window)
    torch.testing.assert_close(unfold_attention(queries, keys, values, window), looped, atol=EXACT, rtol=EXACT)
    in_blocks = block_attention(queries, keys, values, window, block=4)
    torch.testing.assert_close(in_blocks, looped, atol=EXACT, rtol=EXACT)


@pytest.mark.parametrize("name", proof.NAMES)
def test_the_reference_forecasts_as_the_authors(name: str, golden: Path) -> None:
    with np.load(golden / f"{name}.npz") as case:
        arrays = {key: torch.from_numpy(case[key]) for key in case.files if key != "config"}
        config = json.loads(str(case["config"]))
    parameters = {key.removeprefix("param:"): value for key, value in arrays.items() if key.startswith("param:")}
    shapes = parameter_shapes(name, config["hidden"], config["layers"], config["kernel_size"])
    assert {key: tuple(value.shape) for key, value in parameters.items()} == shapes
    frames, window = arrays["frames"][: config["in_len"]], config["local_attention_window"]
    answer = forecast(name, parameters, frames, config["out_len"], window=window, quirks=True)
    torch.testing.assert_close(answer.outputs, arrays["outputs"], atol=TOLERANCE, rtol=0)
    assert answer.decoupling.numel() == arrays["decouple_loss"].numel()
    if answer.decoupling.numel():
        torch.testing.assert_close(answer.decoupling, arrays["decouple_loss"], atol=TOLERANCE, rtol=0)
