"""Forecasts of the authors' code, repeated here and compared with theirs."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.npyio import NpzFile
from torch import Tensor

from models.network import roll_out_with_penalties
from models.spec import NetworkSpec
from models.zoo import MODELS, build
from training.authors.weights import convert_parameters

TOLERANCE = 1e-5
_MOST = 1024


class ReferenceDifference(NamedTuple):
    """The largest differences from the authors' outputs, and from their decoupling losses if any."""

    model: str
    outputs: float
    decoupling: float | None

    @property
    def largest(self) -> float:
        """The larger of the two; NaN if either is NaN."""
        return float(np.max([self.outputs, self.outputs if self.decoupling is None else self.decoupling]))


def reference_spec(name: str, *, channels: int, kernel_size: int, layers: int, window: int) -> NetworkSpec:
    """The authors' network `name` (e.g. "MS-PrecipLSTM"), with their arithmetic.

    Raises
    ------
    ValueError
        The model is unknown, the kernel size is even, or a multi-scale model does not have six layers.
    """
    if name.lower() not in MODELS:
        raise ValueError(f"expected one of the models {', '.join(MODELS)}, got {name!r}")
    spec = MODELS[name.lower()]
    if layers != len(spec.scales) and any(spec.scales):
        raise ValueError(f"expected {len(spec.scales)} layers for {name}, got {layers}")
    if kernel_size % 2 == 0 or kernel_size < 1 or min(channels, layers, window) < 1:
        got = f"{channels} channels, {layers} layers, kernel size {kernel_size}, window {window}"
        raise ValueError(f"expected channels, layers and a window of 1 or more, and an odd kernel size, got {got}")
    return replace(
        spec,
        scales=spec.scales if any(spec.scales) else (0,) * layers,
        channels=channels,
        kernel_size=kernel_size,
        attention_window=window,
        authors_quirks=True,
    )


def check_reference(path: Path) -> ReferenceDifference:
    """Load a proof case of the authors' code and repeat its forecast.

    Raises
    ------
    ValueError
        The file has another form; the error names the missing or wrong part.
    """
    case = _read_case(path)
    network = build(case.spec)
    network.load_state_dict(convert_parameters(case.parameters, case.spec))
    network.train()  # for the decoupling losses; everything else is the same
    with torch.no_grad():
        answer = roll_out_with_penalties(network, case.frames, len(case.outputs) - len(case.frames) + 1)
    decoupling = None if case.decoupling is None else _largest_difference(answer.penalties, case.decoupling)
    return ReferenceDifference(case.model, _largest_difference(answer.outputs, case.outputs), decoupling)


class _Case(NamedTuple):
    """A proof case; `frames` are the input frames."""

    model: str
    spec: NetworkSpec
    parameters: dict[str, Tensor]
    frames: Tensor
    outputs: Tensor
    decoupling: Tensor | None


def _read_case(path: Path) -> _Case:
    arrays = _read_arrays(path)
    settings = _read_settings(arrays["config"])
    spec = reference_spec(
        settings["model"],
        channels=settings["hidden"],
        kernel_size=settings["kernel_size"],
        layers=settings["layers"],
        window=settings["local_attention_window"],
    )
    numbers = {key: _to_tensor(key, value) for key, value in arrays.items() if key != "config"}
    frames, outputs = numbers["frames"], numbers["outputs"]
    shaped = frames.ndim == outputs.ndim == 5 and frames.shape[2] == 1 and frames.numel() and outputs.numel()
    if not shaped or not settings["in_len"] <= min(len(frames), len(outputs)):
        raise ValueError(
            f"expected frames (T, B, 1, H, W), of which {settings['in_len']} are read, and at least as many outputs, "
            f"got {tuple(frames.shape)} and {tuple(outputs.shape)}"
        )
    decoupling = numbers.get("decouple_loss")
    return _Case(
        model=settings["model"],
        spec=spec,
        parameters={key.removeprefix("param:"): v for key, v in numbers.items() if key.startswith("param:")},
        frames=frames[: settings["in_len"]],
        outputs=outputs,
        decoupling=decoupling if decoupling is not None and decoupling.numel() else None,
    )


def _read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as case:
            if not isinstance(case, NpzFile):
                raise ValueError("it is a single array")
            arrays = {key: case[key] for key in case.files}
    except (ValueError, EOFError, BadZipFile, zlib.error, RuntimeError, NotImplementedError, KeyError) as error:
        raise ValueError(f"expected an .npz file of plain arrays, got something else ({error})") from error
    if missing := {"config", "frames", "outputs"} - set(arrays):
        raise ValueError(f"expected {', '.join(sorted(missing))} in the file, got none")
    return arrays


def _read_settings(config: npt.NDArray[Any]) -> dict[str, Any]:
    counts = ("hidden", "kernel_size", "layers", "local_attention_window", "in_len")
    try:
        settings = json.loads(str(config))
    except ValueError as error:
        raise ValueError(f"expected config as JSON, got {str(config)[:40]!r}") from error
    if not isinstance(settings, dict) or not isinstance(settings.get("model"), str):
        raise ValueError(f"expected the name of a model in the config, got {str(config)[:40]!r}")
    for key in counts:
        value = settings.get(key)
        if type(value) is not int or not 1 <= value <= _MOST:
            raise ValueError(f"expected a number of 1 to {_MOST} for {key} in the config, got {value!r}")
    return settings


def _to_tensor(key: str, value: npt.NDArray[Any]) -> Tensor:
    if value.dtype.kind != "f":
        raise ValueError(f"expected floats in {key}, got {value.dtype}")
    return torch.from_numpy(value.astype(np.float32))


def _largest_difference(ours: Tensor | None, theirs: Tensor) -> float:
    """The largest difference; NaN if either has NaN."""
    if ours is None or ours.shape != theirs.shape:
        shape = None if ours is None else tuple(ours.shape)
        raise ValueError(f"expected arrays of one shape, got {tuple(theirs.shape)} in the file and {shape} here")
    return float((ours - theirs).abs().max())
