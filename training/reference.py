"""Weights under the authors' names, brought into this project's networks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from models.spec import NetworkSpec


def convert_parameters(authors: Mapping[str, Tensor], spec: NetworkSpec) -> dict[str, Tensor]:
    """The authors' state_dict (keys as in their code, with or without `module.`) as one for `models.zoo.build`.

    Two convolutions of theirs that are added, one of x and one of h, become one of [x, h].

    Raises
    ------
    ValueError
        Keys that are missing or unexpected, named.
    """
    left = {key.removeprefix("module."): value for key, value in authors.items()}
    converted = {
        "embedding.weight": _take(left, "embed.conv_embed.weight"),
        "embedding.bias": _take(left, "embed.conv_embed.bias"),
        "head.weight": _take(left, "fc.conv_fc.weight"),
        "head.bias": _take(left, "fc.conv_fc.bias"),
    }
    for layer in range(len(spec.scales)):
        theirs, ours = f"rnns.lstm.{layer}.", f"stack.cells.{layer}."
        weights = [_take(left, f"{theirs}_conv_{part}.weight") for part in ("x2h", "h2h")]
        biases = [_take(left, f"{theirs}_conv_{part}.bias") for part in ("x2h", "h2h")]
        converted[ours + "gates.weight"] = torch.cat(weights, dim=1)
        converted[ours + "gates.bias"] = biases[0] + biases[1]
    if left:
        raise ValueError(f"expected no other parameters, got {', '.join(sorted(left))}")
    return converted


def _take(parameters: dict[str, Tensor], key: str) -> Tensor:
    if key not in parameters:
        raise ValueError(f"expected a parameter {key}, got only {', '.join(sorted(parameters)) or 'none'}")
    return parameters.pop(key)
