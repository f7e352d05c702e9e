"""PredRNN (Wang et al., 2017, NeurIPS 30): ConvLSTM with a second memory that zigzags through the layers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.cells.base import Cell, CellState, CellStep
from models.cells.gates import lstm_update, same_convolution, split_output_gate


class ZigzagStep(NamedTuple):
    """New output h, cell state c and memory m, and the output gate o."""

    h: Tensor
    c: Tensor
    m: Tensor
    o: Tensor


class ZigzagLSTM(nn.Module):
    """The spatio-temporal LSTM, which MIM and MotionRNN build on.

    [i f g o] = W * [x, h]; c' = s(f) c + s(i) tanh(g); [i f g] = Wm * [x, m] -> m' of the same form;
    o' = s(o + Wo * [c', m']); h' = o' tanh(1x1 [c', m']).

    Parameters
    ----------
    forgets : bool
        If not set, there is no gate f, and c' = c + s(i) tanh(g).
    """

    def __init__(self, channels: int, kernel_size: int, *, forgets: bool = True) -> None:
        super().__init__()
        self.forgets = forgets
        self.gates = same_convolution(2 * channels, (4 if forgets else 3) * channels, kernel_size)
        self.memory_gates = same_convolution(2 * channels, 3 * channels, kernel_size)
        self.output_gate = same_convolution(2 * channels, channels, kernel_size)
        self.output = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor, h: Tensor, c: Tensor, m: Tensor) -> ZigzagStep:
        """One step; all arrays are (B, C, H, W)."""
        c, o = self._new_cell_state(self.gates(x, h), c)
        m = lstm_update(self.memory_gates(x, m), m)
        memories = torch.cat([c, m], dim=1)
        o = (o + self.output_gate(memories)).sigmoid()
        return ZigzagStep(o * self.output(memories).tanh(), c, m, o)

    def _new_cell_state(self, gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        if self.forgets:
            gates, o = split_output_gate(gates)
            return lstm_update(gates, c), o
        i, g, o = gates.chunk(3, dim=1)
        return c + i.sigmoid() * g.tanh(), o


class PredRNN(Cell):
    """`ZigzagLSTM` as a layer."""

    has_memory = True

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.states = (CellState("h", channels), CellState("c", channels))
        self.lstm = ZigzagLSTM(channels, kernel_size)

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """See `Cell.forward`."""
        assert memory is not None  # noqa: S101
        h, c = state
        step = self.lstm(x, h, c, memory)
        return CellStep(step.h, (step.h, step.c), step.m)
