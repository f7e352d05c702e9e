"""Forecasts of the authors' code, made anew and laid beside theirs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.network import Network, roll_out_with_penalties
from models.spec import NetworkSpec
from models.zoo import MODELS, build
from training.authors_weights import convert_parameters

TOLERANCE = 1e-5


class ReferenceDifference(NamedTuple):
    """How far a forecast is from the authors': largest differences of outputs and of decoupling losses (NaN: none)."""

    model: str
    outputs: float
    decoupling: float


def reference_spec(name: str, *, channels: int, kernel_size: int, layers: int, window: int) -> NetworkSpec:
    """The authors' network `name` (as "MS-PrecipLSTM"), with their arithmetic.

    Raises
    ------
    ValueError
        No such model, or a multi-scale one whose layers are not six.
    """
    if name.lower() not in MODELS:
        raise ValueError(f"expected one of the models {', '.join(MODELS)}, got {name!r}")
    spec = MODELS[name.lower()]
    if layers != len(spec.scales) and any(spec.scales):
        raise ValueError(f"expected {len(spec.scales)} layers for {name}, got {layers}")
    return replace(
        spec,
        scales=spec.scales if any(spec.scales) else (0,) * layers,
        channels=channels,
        kernel_size=kernel_size,
        attention_window=window,
        authors_quirks=True,
    )


def check_reference(path: Path) -> ReferenceDifference:
    """Load a proof case of the authors' code and forecast it anew.

    Raises
    ------
    ValueError
        The file is not of that form; says what is missing.
    """
    case = _read_case(path)
    settings = json.loads(str(case["config"]))
    try:
        spec = reference_spec(
            settings["model"],
            channels=settings["hidden"],
            kernel_size=settings["kernel_size"],
            layers=settings["layers"],
            window=settings["local_attention_window"],
        )
        frames_read = settings["in_len"]
    except KeyError as error:
        raise ValueError(f"expected {error} in the config of {path.name}, got none") from error
    network = build(spec)
    network.load_state_dict(
        convert_parameters({k[6:]: torch.from_numpy(v) for k, v in case.items() if k.startswith("param:")}, spec)
    )
    outputs, penalties = _forecast(network, torch.from_numpy(case["frames"][:frames_read]), len(case["outputs"]))
    decoupling = float("nan")
    if case.get("decouple_loss", np.empty(0)).size:
        decoupling = _largest_difference(penalties, case["decouple_loss"])
    return ReferenceDifference(settings["model"], _largest_difference(outputs, case["outputs"]), decoupling)


def _read_case(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as case:
        if missing := {"config", "frames", "outputs"} - set(case.files):
            raise ValueError(f"expected {', '.join(sorted(missing))} in {path.name}, got {', '.join(case.files)}")
        return {key: case[key] for key in case.files}


def _forecast(network: Network, frames: Tensor, outputs: int) -> tuple[Tensor, Tensor | None]:
    network.train()  # for the decoupling losses; nothing else differs
    with torch.no_grad():
        answer = roll_out_with_penalties(network, frames, outputs - len(frames) + 1)
    return answer.outputs, answer.penalties


def _largest_difference(ours: Tensor | None, theirs: np.ndarray) -> float:
    if ours is None or tuple(ours.shape) != theirs.shape:
        raise ValueError(f"expected a forecast of {theirs.shape}, got {None if ours is None else tuple(ours.shape)}")
    return float(np.abs(ours.numpy() - theirs).max())
