"""ConvLSTM (Shi et al., 2015, arXiv:1506.04214), without peepholes as in the MS-RNN paper."""

from __future__ import annotations

from torch import Tensor

from models.cells.base import Cell, CellState, CellStep
from models.cells.gates import lstm_update, same_convolution, split_output_gate


class ConvLSTM(Cell):
    """[i f g o] = W * [x, h]; c' = s(f) c + s(i) tanh(g); h' = s(o) tanh(c')."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.states = (CellState("h", channels), CellState("c", channels))
        self.gates = same_convolution(2 * channels, 4 * channels, kernel_size)

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """See `Cell.forward`; the memory passes through unchanged."""
        h, c = state
        gates, o = split_output_gate(self.gates(x, h))
        c = lstm_update(gates, c)
        h = o.sigmoid() * c.tanh()
        return CellStep(h, (h, c), memory)
