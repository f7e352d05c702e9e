"""ConvLSTM (Shi et al., 2015, arXiv:1506.04214), without peepholes as in the MS-RNN paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.cells.base import Cell, CellState, CellStep


class ConvLSTM(Cell):
    """[i f g o] = W * [x, h]; c' = s(f) c + s(i) tanh(g); h' = s(o) tanh(c')."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.states = (CellState("h", channels), CellState("c", channels))
        # One convolution of [x, h] is Wx * x + Wh * h in one go.
        self.gates = nn.Conv2d(2 * channels, 4 * channels, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """See `Cell.forward`; memory passes through untouched."""
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return CellStep(h, (h, c), memory)
