"""Names and shapes of the parameters in the authors' research code, and random weights for them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

_STEP = 1 / 8

Kernel = tuple[int, ...]
"""Channels out, channels in, rows, columns; of the one deconvolution: in, out, rows, columns."""


def _convlstm(c: int, k: int) -> dict[str, Kernel]:
    return {"_conv_x2h": (4 * c, c, k, k), "_conv_h2h": (4 * c, c, k, k)}


def _memory(name: str, c: int, k: int) -> dict[str, Kernel]:
    return {
        f"_conv_x2h_{name}": (3 * c, c, k, k),
        f"_conv_{name}2h_{name}": (3 * c, c, k, k),
        f"_conv_{name}2o": (c, c, k, k),
    }


def _predrnn(c: int, k: int) -> dict[str, Kernel]:
    outputs = {"_conv_c2o": (c, c, k, k), "_conv_c_m": (c, 2 * c, 1, 1)}
    return {**_convlstm(c, k), **_memory("m", c, k), **outputs}


def _predrnnpp(c: int, k: int) -> dict[str, Kernel]:
    return {
        "_conv_x_h_c": (3 * c, 3 * c, k, k),
        "_conv_x_c_m": (3 * c, 3 * c, k, k),
        "_conv_m": (c, c, 1, 1),
        "_conv_o": (c, 3 * c, k, k),
        "_conv_c_m": (c, 2 * c, 1, 1),
        "_conv_x": (2 * c, c, k, k),
        "_conv_z": (2 * c, c, k, k),
    }


def _mim(c: int, k: int) -> dict[str, Kernel]:
    return {
        "_conv_x2h_n": (3 * c, c, k, k),
        "_conv_n2h_n": (3 * c, c, k, k),
        "_conv_diff2o": (c, c, k, k),
        "_conv_n2o": (c, c, k, k),
        "_conv_x2h_s": (4 * c, c, k, k),
        "_conv_c2h_s": (4 * c, c, k, k),
        "_conv_s2o": (c, c, k, k),
        **_predrnn(c, k),
    }


def _motionrnn(c: int, k: int) -> dict[str, Kernel]:
    few = c // 4
    return {
        **_mim(c, k),
        "_conv_enc": (few, c, 2, 2),
        "_conv_u": (18, few + 18, 1, 1),
        "_conv_r": (18, few + 18, 1, 1),
        "_conv_z": (18, few + 18, 1, 1),
        "_conv_hm": (9, few, 1, 1),
        "_conv_dec": (few, 9 * few, 1, 1),
        "_deconv_dec": (few, c, 4, 4),
        "_conv_g": (c, 2 * c, 1, 1),
    }


def _trajgru(c: int, k: int) -> dict[str, Kernel]:
    return {
        "_conv_x2h": (3 * c, c, k, k),
        "_conv_x2f": (c, c, k, k),
        "_conv_h2f": (c, c, k, k),
        "_conv_flow": (20, c, k, k),
        "project": (3 * c, 10 * c, 1, 1),
    }


def _preciplstm(c: int, k: int) -> dict[str, Kernel]:
    return {
        **_convlstm(c, k),
        "_conv_c2o": (c, c, k, k),
        **_memory("m", c, k),
        **_memory("ms", c, k),
        **_memory("mt", c, k),
        "c_m_ms_mt": (c, 4 * c, 1, 1),
        **{f"LA.conv{number}": (c, c, 1, 1) for number in (1, 2, 3)},
        "_conv_x_x_att": (c, c, k, k),
    }


_KERNELS = {
    "convlstm": _convlstm,
    "trajgru": _trajgru,
    "predrnn": _predrnn,
    "predrnn++": _predrnnpp,
    "mim": _mim,
    "motionrnn": _motionrnn,
    "predrnn-v2": _predrnn,
    "preciplstm": _preciplstm,
}


def parameter_shapes(model: str, channels: int, layers: int, kernel_size: int = 3) -> dict[str, tuple[int, ...]]:
    """All parameters of `model` (as "MS-PredRNN++"), dead ones included: the authors' name -> shape."""
    cell = model.lower().removeprefix("ms-")
    kernels: dict[str, Kernel] = {"embed.conv_embed": (channels, 1, 1, 1), "fc.conv_fc": (1, channels, 1, 1)}
    for layer in range(layers):
        kernels |= {f"rnns.lstm.{layer}.{name}": k for name, k in _KERNELS[cell](channels, kernel_size).items()}
    if cell == "predrnn-v2":
        kernels["rnns.adapter"] = (channels, channels, 1, 1)
    return dict(pair for name, kernel in kernels.items() for pair in _named(name, kernel))


def _named(name: str, kernel: Kernel) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", kernel
    if ".LA." not in name:
        yield f"{name}.bias", (kernel[1] if "deconv" in name else kernel[0],)


def random_parameters(model: str, channels: int, layers: int, seed: int) -> dict[str, Tensor]:
    """Weights in multiples of 1/8, which compress well, large enough that states, memories and flows matter."""
    generator = torch.Generator().manual_seed(seed)
    shapes = parameter_shapes(model, channels, layers)
    return {name: _weights(shape, _spread(model, name, shape), generator) for name, shape in shapes.items()}


def _weights(shape: tuple[int, ...], spread: float, generator: torch.Generator) -> Tensor:
    values = torch.randn(shape, generator=generator, dtype=torch.float64) * spread
    return ((values / _STEP).round() * _STEP).float()


def _spread(model: str, name: str, shape: tuple[int, ...]) -> float:
    """Standard deviation: a kernel's sums come out a little larger than one input; TrajGRU's have no bound.

    The head makes every weight felt beyond the tolerance, and the float32 errors of no model nearly so.
    """
    if name.endswith("bias"):
        return 0.25
    inputs = shape[1] * shape[2] * shape[3]
    gain = 1.0 if "TrajGRU" in model else 1.5
    head = 1.5 if model.endswith(("TrajGRU", "PrecipLSTM")) else 3.0
    return float(gain * (head if name == "fc.conv_fc.weight" else 1) / inputs**0.5)
