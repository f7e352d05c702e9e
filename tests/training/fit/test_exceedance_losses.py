"""Training for probabilities: the loss by hand, what the network reads, and a tiny model from configuration to file."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from models.exceedance.forecaster import ExceedanceForecaster
from models.network import read_bases
from models.onnx_forecaster import load_forecaster
from models.spec import CONTROL, EXCEEDANCE_INPUTS, MULTI_SCALE, NetworkSpec
from models.zoo import CELLS, build
from radar.files.netcdf.writer import to_netcdf
from radar.grid import Grid
from radar.synthetic import storm_sequence
from training.config.config import FitConfig, make_config
from training.export.export import export
from training.export.weights import network_of
from training.fit.batches import to_batch
from training.fit.checkpoint import load_checkpoint
from training.fit.examples import Example
from training.fit.loop import fit
from training.fit.losses import base_log_odds, base_loss, exceedance_sum, log_odds, validation_loss

UNITS = torch.tensor([0.1, 0.5])


def tables(**changes: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "name": "tiny",
        "leads": 2,
        "zero_head": True,
        "network": {
            "cell": "convlstm",
            "scales": [0, 1, 0],
            "channels": 4,
            "patch": 4,
            "fine_patch": 2,
            "inputs": list(EXCEEDANCE_INPUTS),
            "output": "exceedance",
            "thresholds": [0.1, 1.0, 5.0],
        },
        "framing": {
            "input_length": 3,
            "coordinates": "lagrangian",
            "base": "sprog",
            "scaling": {"a": 1.0, "b": 1.0, "lowest_dbz": -15.0, "highest_dbz": 30.0, "dry_below": 0.1},
        },
        "data": {"train": ["storm.nc"], "validation": ["other.nc"], "stride": 1},
        "loss": {"name": "exceedance", "shares": [0.3, 0.1, 0.02]},
        "optimiser": {
            "iterations": 6,
            "batch": 2,
            "crop": 48,
            "validate_every": 3,
            "warm_up": 2,
            "learning_rate": 0.01,
        },
    }
    return {
        key: {**value, **changes.get(key, {})} if isinstance(value, dict) else value for key, value in plain.items()
    }


def config(**changes: dict[str, Any]) -> FitConfig:
    return make_config(tables(**changes))


def test_hand_worked_cross_entropy_in_parts_of_the_climatological_one() -> None:
    odds = torch.zeros(1, 1, 2, 1, 3)  # as likely as not
    odds[0, 0, 1, 0, 0] = math.log(3)  # 0.75
    observed = torch.tensor([0.6, 0.2, 0.9])[None, None, None, None]
    known = torch.tensor([True, True, False])[None, None, None, None]
    first = (2 * math.log(2)) / (2 * math.log(2))  # both reach 0.1; the climate has it at half of the pixels
    quarter = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    second = (-math.log(0.75) + math.log(2)) / (2 * quarter)
    loss = exceedance_sum(odds, observed, known, UNITS, (0.5, 0.25)).item()
    assert loss == pytest.approx(first + second, rel=1e-5)


def test_a_rate_of_exactly_the_threshold_reaches_it_in_half_precision() -> None:
    units = torch.from_numpy(config().framing.scaling.to_network([0.1, 1.0, 5.0]))
    for index in range(len(units)):
        observed = units[index].half().float().reshape(1, 1, 1, 1, 1)
        certain = torch.full((1, 1, 1, 1, 1), 20.0)
        loss = exceedance_sum(certain, observed, torch.ones_like(observed).bool(), units[index : index + 1], (0.5,))
        assert loss.item() < 1e-3


@pytest.mark.parametrize("cell", [*CELLS, CONTROL])
@pytest.mark.parametrize("fine", [0, 2])
def test_all_cells_have_the_form_and_start_as_the_dressed_base(cell: str, fine: int) -> None:
    spec = NetworkSpec(
        cell,
        MULTI_SCALE,
        4,
        patch=2,
        inputs=EXCEEDANCE_INPUTS,
        output="exceedance",
        thresholds=(1.0, 5.0),
        fine_patch=fine,
    )
    network = build(spec)
    network.zero_head()
    with torch.no_grad():
        outputs = read_bases(network, torch.rand(2, 1, 4, 17, 23), torch.rand(2, 1, 4, 17, 23)).outputs
    assert outputs.shape == (2, 1, 2, 17, 23)
    assert not outputs.any()


def test_the_network_learns_from_the_base_of_each_lead() -> None:
    made, rng = config(), np.random.default_rng(0)
    frames, later, base = (rng.random((count, 16, 16)).astype(np.float16) for count in (3, 2, 2))
    batch = to_batch([Example(frames, later, base)], made.network.inputs)
    network = build(made.network)
    network.zero_head()
    with torch.no_grad():
        odds = log_odds(network, batch, made).outputs
    torch.testing.assert_close(odds, base_log_odds(batch, made))
    assert validation_loss(network, batch, made) == pytest.approx(base_loss(batch, made), rel=1e-5)
    build(made.network)
    log_odds(network, batch, made).outputs.square().mean().backward()  # type: ignore[no-untyped-call]
    assert network.dressing is not None
    assert network.dressing.log_slopes.grad is not None
    assert network.dressing.log_slopes.grad[:2].any()


@torch.no_grad()
def test_the_control_sees_the_observed_frames_at_every_lead_and_no_other_lead() -> None:
    made = config(network={"cell": CONTROL})
    network = build(made.network).eval()
    frames, bases = torch.rand(5, 1, 4, 16, 16), torch.rand(3, 1, 4, 16, 16)
    frames[:, :, 2] = 0  # observed
    outputs = read_bases(network, frames, bases).outputs
    older = frames.clone()
    older[0, :, 0] = 0
    assert not torch.isclose(outputs, read_bases(network, older, bases).outputs).all(dim=(1, 2, 3, 4)).any()
    other = bases.clone()
    other[0, :, 0] = 0
    changed = (outputs != read_bases(network, frames, other).outputs).any(dim=(1, 2, 3, 4))
    assert changed.tolist() == [True, False, False]


@torch.no_grad()
def test_a_step_of_the_control_costs_what_one_of_the_recurrent_network_does() -> None:
    costs = []
    for cell in ("convlstm", CONTROL):
        network = build(replace(config().network, cell=cell, scales=MULTI_SCALE, channels=32))
        frame = torch.zeros(1, 4, 64, 64)
        with FlopCounterMode(display=False) as counter:
            network(frame, network.initial_states(frame))
        costs.append(counter.get_total_flops())
    assert costs[1] == pytest.approx(costs[0], rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["convlstm", CONTROL])
def test_from_a_configuration_to_a_file_that_forecasts_probabilities(tmp_path: Path, cell: str) -> None:
    events = tmp_path / "events"
    events.mkdir()
    grid = Grid("small", (64, 64), 1.0)
    for name, seed in (("storm.nc", 1), ("other.nc", 2)):
        storm = storm_sequence(grid, 8, seed=seed, end_time=datetime(2024, 7, 1, seed, tzinfo=UTC))
        (events / name).write_bytes(to_netcdf(storm))
    checkpoint = fit(config(network={"cell": cell}), events, tmp_path / "run")
    first, *_, last = map(json.loads, (tmp_path / "run" / "log.jsonl").read_text().splitlines())
    assert first["validation_loss"] == pytest.approx(first["validation_base_loss"], rel=1e-4)
    assert last["validation_loss"] < first["validation_loss"]
    path = export(checkpoint, tmp_path / "models", "1")
    forecaster = load_forecaster(path, "cpu")
    assert isinstance(forecaster, ExceedanceForecaster)
    probabilities = forecaster.probabilities(storm, 2, [0.1, 3.0])
    assert probabilities.shape == (2, 2, 64, 64)
    assert 0 < np.nanmean(probabilities[1]) < np.nanmean(probabilities[0]) < 1
    network, *_ = load_checkpoint(checkpoint)
    back = network_of(path)
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(back.state_dict()[name], weight)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": {"name": "pinball"}}, "exceedance"),
        ({"loss": {"shares": [0.1]}}, "shares for 3 thresholds, got 1"),
        ({"loss": {"shares": [0.0, 0.1, 0.2]}}, "shares between 0 and 1"),
        ({"network": {"thresholds": [1.0, 0.5, 2.0]}}, "rising thresholds"),
        ({"network": {"thresholds": []}}, "rising thresholds"),
        ({"network": {"inputs": ["rain"]}}, "expected inputs"),
        ({"network": {"fine_patch": 3}}, "divides patch"),
        ({"network": {"output": "rain"}}, "expected inputs"),
        ({"framing": {"base": "none"}}, "framing.base"),
        ({"framing": {"input_length": 2}}, "input_length of 3"),
        ({"framing": {"coordinates": "eulerian"}}, "lagrangian"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(changes: dict[str, dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**changes)
