from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from models.cells.convlstm import ConvLSTM
from models.network import roll_out, roll_out_with_penalties
from models.spec import MULTI_SCALE, NetworkSpec
from models.stack import Stack
from models.zoo import CELLS, MODELS, build
from training.fit.losses import decoupling

SMALL = {name: replace(spec, channels=4) for name, spec in MODELS.items()}


PAPERS_MILLIONS = {"convlstm": 1.773, "trajgru": 1.916, "predrnn": 3.60, "predrnn-v2": 3.60, "preciplstm": 7.04}
"""With a bias for every convolution; here one bias does for all convolutions of a sum, at most 0.25 % fewer."""

DEAD_INCLUDED_MILLIONS = {"predrnn++": 5.61, "mim": 7.36, "motionrnn": 7.56}
"""The authors' networks, with parameters that no forecast depends on; here there are none."""


def _parameters(name: str) -> int:
    return sum(parameter.numel() for parameter in build(MODELS[name]).parameters())


@pytest.mark.parametrize("cell", CELLS)
def test_multi_scale_has_the_parameters_of_plain(cell: str) -> None:
    assert _parameters(cell) == _parameters(f"ms-{cell}")


@pytest.mark.parametrize(("cell", "millions"), PAPERS_MILLIONS.items())
def test_parameters_are_the_papers(cell: str, millions: float) -> None:
    assert 0.9975 * millions < _parameters(cell) / 1e6 < 1.0005 * millions


@pytest.mark.parametrize(("cell", "millions"), DEAD_INCLUDED_MILLIONS.items())
def test_parameters_are_fewer_without_the_dead_ones(cell: str, millions: float) -> None:
    assert round(_parameters(cell) / 1e6, 2) < millions


def test_parameters_of_the_papers_convlstm() -> None:
    # 6 layers of (2 * 64 * 9 + 1) * 256, embedding 128, head 65; the authors keep two biases where one does
    assert _parameters("convlstm") == 6 * (2 * 64 * 9 + 1) * 256 + 128 + 65


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    network = build(SMALL[name])
    answer = roll_out_with_penalties(network, torch.rand(3, 2, 1, 16, 20), 2)
    loss = answer.outputs.square().mean() + (0 if answer.penalties is None else decoupling(answer.penalties))
    loss.backward()  # type: ignore[no-untyped-call]
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [(7, 7), (7, 124), (125, 31), (124, 16), (300, 16), (16, 400), (16, 18), (1, 1)])
def test_any_size_works_by_padding(name: str, size: tuple[int, int]) -> None:
    network = build(replace(SMALL[name], attention_window=6))
    frames, (rows, columns) = torch.rand(2, 1, 1, *size), size
    multiple = network.spec.pad_multiple
    with torch.no_grad():
        forecast = roll_out(network, frames, 1)
        padded = roll_out(network, F.pad(frames, (0, -columns % multiple, 0, -rows % multiple)), 1)
    assert forecast.shape == (2, 1, 1, *size)
    assert forecast.isfinite().all()
    torch.testing.assert_close(forecast, padded[..., :rows, :columns])


@pytest.mark.parametrize("patch", [2, 4])
def test_patches_forecast_at_full_resolution(patch: int) -> None:
    spec = NetworkSpec("convlstm", MULTI_SCALE, channels=4, patch=patch, inputs=("rain", "coverage"))
    network = build(spec)
    with torch.no_grad():
        assert roll_out(network, torch.rand(2, 3, 2, 33, 50), 2).shape == (3, 3, 1, 33, 50)
    assert spec.pad_multiple == 4 * patch


def test_states_are_named_and_halved_by_scale() -> None:
    network = build(SMALL["ms-convlstm"])
    states = network.initial_states(torch.zeros(1, 1, 32, 64))
    shapes = {spec.name: tuple(state.shape[2:]) for spec, state in zip(network.states, states, strict=True)}
    assert shapes["layer0_h"] == (32, 64)
    assert shapes["layer2_c"] == (8, 16)
    assert shapes["layer5_h"] == (32, 64)


def test_a_batch_forecasts_each_sample_as_alone() -> None:
    network, frames = build(SMALL["ms-convlstm"]), torch.rand(3, 2, 1, 16, 16)
    with torch.no_grad():
        together = roll_out(network, frames, 2)
        alone = roll_out(network, frames[:, 1:], 2)
    torch.testing.assert_close(together[:, 1:], alone, atol=1e-6, rtol=0)


def test_zero_head_predicts_its_base() -> None:
    network = build(SMALL["ms-convlstm"])
    network.zero_head()
    base = torch.rand(2, 1, 1, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(roll_out(network, torch.rand(3, 1, 1, 16, 16), 2, base)[-2:], base)


@pytest.mark.parametrize("scales", [(0, 2, 0), (0, 1, 2), (1, 1, 0)])
def test_scales_that_make_no_pyramid_are_refused(scales: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="scales"):
        Stack([ConvLSTM(4, 3) for _ in scales], scales, 4)


def test_unknown_cells_and_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="convlstm"):
        build(NetworkSpec("lstm"))
    with pytest.raises(ValueError, match="coverage"):
        build(NetworkSpec("convlstm", inputs=("coverage",)))
