"""What the models cost at the papers' size, and that the counting counts."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from models.network import roll_out_with_penalties
from models.zoo import CELLS, MODELS, build
from training.__main__ import main
from training.profile import MemoryCount, Profile, ProfileSettings, multiply_accumulates, spec_of, training_memory

PAPERS_SIZE = ProfileSettings(size=124, steps=9, channels=64)
SMALL = ProfileSettings(size=20, steps=3, channels=4)


def test_multiply_accumulates_of_convlstm_by_hand() -> None:
    macs = multiply_accumulates(spec_of("convlstm", SMALL), SMALL)
    layers = 6 * 9 * 16 * (4 + 8 + 8)  # 8 -> 16 channels, but 4 -> 16 while the states are zeros
    assert macs == 20 * 20 * (3 * (4 + 4) + layers), "embedding and head, six layers"


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", ["ms-convlstm", "preciplstm", "ms-preciplstm"])
def test_fake_tensors_take_the_memory_of_real_ones(name: str, *, checkpointing: bool) -> None:
    settings = replace(SMALL, steps=2, activation_checkpointing=checkpointing)
    spec = spec_of(name, settings)
    assert training_memory(spec, settings) == training_memory(spec, settings, fake=False)


def test_memory_is_counted_once_and_only_while_something_holds_it() -> None:
    known = torch.zeros(100)
    with MemoryCount([known]) as count:
        kept = known + 1
        view = kept[:50]
        del kept
        assert count.live_bytes == 400, "the view holds it"
        del view
        assert (count.live_bytes, count.peak_bytes) == (0, 400)


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_multi_scale_saves_sums_and_memory(cell: str) -> None:
    plain, multi_scale = (
        (multiply_accumulates(spec, PAPERS_SIZE), training_memory(spec, PAPERS_SIZE)[0])
        for spec in (spec_of(name, PAPERS_SIZE) for name in (cell, f"ms-{cell}"))
    )
    assert multi_scale[0] <= 0.45 * plain[0]
    assert multi_scale[1] <= 0.53 * plain[1]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "limit"), [("preciplstm", 3.0), ("ms-preciplstm", 1.4)])
def test_preciplstm_trains_in_little_memory(name: str, limit: float) -> None:
    settings = replace(PAPERS_SIZE, activation_checkpointing=True)
    saved, _ = training_memory(spec_of(name, settings), settings)
    assert saved <= limit * 2**30


@pytest.mark.parametrize("name", MODELS)
def test_activation_checkpointing_changes_no_gradient(name: str) -> None:
    torch.manual_seed(3)
    # a window that makes local attention go by rows, which are checkpointed in themselves
    network = build(replace(MODELS[name], channels=4, attention_window=3)).double()
    frames = torch.rand(2, 1, 1, 24, 20, dtype=torch.float64)
    gradients = []
    for checkpointing in (False, True):
        network.stack.checkpointing = checkpointing
        answer = roll_out_with_penalties(network, frames, 1)
        loss = answer.outputs.square().sum() + (0 if answer.penalties is None else answer.penalties.square().sum())
        gradients.append(torch.autograd.grad(loss, list(network.parameters())))
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(checkpointed, plain, rtol=0, atol=1e-10)


def test_command_writes_a_list_and_prints_ratios(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "profile.json"
    sizes = ["--size", "12", "--steps", "2", "--channels", "4"]
    _run(monkeypatch, "--models", "convlstm,ms-convlstm", *sizes, "--json", str(path))
    profiles = [Profile(**each) for each in json.loads(path.read_text())]
    assert [each.model for each in profiles] == ["convlstm", "ms-convlstm"]
    assert all(value > 0 for each in profiles for key, value in asdict(each).items() if key != "model")
    ratio = profiles[1].macs / profiles[0].macs
    assert f"{ratio:.3f}" in capsys.readouterr().out


def test_command_refuses_unknown_models_and_empty_grids(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, "--models", "gru") == 1
    assert "expected models among convlstm" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        _run(monkeypatch, "--size", "0")
    assert "--size: expected a whole number of 1 or more, got '0'" in capsys.readouterr().err


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["python -m training", "profile", *arguments])
    return main()
