"""The gates that the cells share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class JointConvolution(nn.Conv2d):
    """A convolution of several arrays (B, C, H, W), concatenated along their channels.

    The convolution of [x, h] computes Wx * x + Wh * h at once; one with many outputs is a group of gates. Initial
    states, which are zeros, are left out, since they add nothing.
    """

    def forward(self, *parts: Tensor) -> Tensor:
        """The arrays in the order of the weights' channels."""
        written = [not is_blank(part) for part in parts]
        if all(written) or not any(written):
            return super().forward(torch.cat(parts, dim=1) if len(parts) > 1 else parts[0])
        weights = torch.split(self.weight, [part.shape[1] for part in parts], dim=1)
        kept = torch.cat([part for part, is_written in zip(parts, written, strict=True) if is_written], dim=1)
        weight = torch.cat([weight for weight, is_written in zip(weights, written, strict=True) if is_written], dim=1)
        return F.conv2d(kept, weight, self.bias, self.stride, self.padding)


_BLANK = "is_blank_state"


def blank(like: Tensor, *shape: int) -> Tensor:
    """Zeros of a shape that take no memory, cannot be written to, and are recognised by `is_blank`."""
    zeros = like.new_zeros(()).expand(shape)
    setattr(zeros, _BLANK, True)
    return zeros


def is_blank(array: Tensor) -> bool:
    """Whether an array comes from `blank`; never true while a graph is exported, which has to work for any array."""
    return not torch.compiler.is_compiling() and getattr(array, _BLANK, False)


def same_convolution(inputs: int, outputs: int, kernel_size: int) -> JointConvolution:
    """A convolution with bias that keeps the grid's size (odd `kernel_size`)."""
    return JointConvolution(inputs, outputs, kernel_size, padding=kernel_size // 2)


def lstm_update(gates: Tensor, value: Tensor) -> Tensor:
    """With gates [i f g] (B, 3C, H, W): s(f) value + s(i) tanh(g), the update of a memory."""
    i, f, g = gates.chunk(3, dim=1)
    return f.sigmoid() * value + i.sigmoid() * g.tanh()


def split_output_gate(gates: Tensor) -> tuple[Tensor, Tensor]:
    """Gates [i f g o] (B, 4C, H, W) -> [i f g] (B, 3C, H, W) and o (B, C, H, W)."""
    channels = gates.shape[1] // 4
    inner, o = torch.split(gates, [3 * channels, channels], dim=1)
    return inner, o
