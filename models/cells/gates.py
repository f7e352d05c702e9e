"""What the cells' equations share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def same_convolution(inputs: int, outputs: int, kernel_size: int) -> nn.Conv2d:
    """A convolution with bias that keeps the grid's size (odd `kernel_size`).

    One convolution of [x, h] is Wx * x + Wh * h in one go, and one of many outputs is a group of gates.
    """
    return nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2)


def lstm_update(gates: Tensor, value: Tensor) -> Tensor:
    """With gates [i f g] (B, 3C, H, W): s(f) value + s(i) tanh(g), what to forget of a memory and to write into it."""
    i, f, g = gates.chunk(3, dim=1)
    return f.sigmoid() * value + i.sigmoid() * g.tanh()


def split_output_gate(gates: Tensor) -> tuple[Tensor, Tensor]:
    """Gates [i f g o] (B, 4C, H, W) -> [i f g] (B, 3C, H, W) and o (B, C, H, W)."""
    channels = gates.shape[1] // 4
    inner, o = torch.split(gates, [3 * channels, channels], dim=1)
    return inner, o
