"""PredRNN++ (Wang et al., 2018, arXiv:1804.06300): memories in cascade, and a highway for gradients past the layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.cells.base import Cell, CellState, CellStep
from models.cells.gates import lstm_update, same_convolution


class CausalLSTM(Cell):
    """The memory m is computed from the new cell state, and the output gate from both.

    [i f g] = W * [x, h, c]; c' = s(f) c + s(i) tanh(g); [i f g] = Wm * [x, c', m];
    m' = s(f) tanh(1x1 m) + s(i) tanh(g); o = tanh(Wo * [x, c', m']); h' = o tanh(1x1 [c', m']).
    """

    has_memory = True

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.states = (CellState("h", channels), CellState("c", channels))
        self.gates = same_convolution(3 * channels, 3 * channels, kernel_size)
        self.memory_gates = same_convolution(3 * channels, 3 * channels, kernel_size)
        self.memory_input = nn.Conv2d(channels, channels, 1)
        self.output_gate = same_convolution(3 * channels, channels, kernel_size)
        self.output = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """See `Cell.forward`."""
        assert memory is not None  # noqa: S101
        h, c = state
        c = lstm_update(self.gates(x, h, c), c)
        m = lstm_update(self.memory_gates(x, c, memory), self.memory_input(memory).tanh())
        o = self.output_gate(x, c, m).tanh()
        h = o * self.output(torch.cat([c, m], dim=1)).tanh()
        return CellStep(h, (h, c), m)


class HighwayCausalLSTM(CausalLSTM):
    """The second layer: the gradient highway replaces x. [p q] = W * [x, z]; x <- z' = s(q) tanh(p) + (1 - s(q)) z."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__(channels, kernel_size)
        self.states = (*self.states, CellState("z", channels))
        self.highway = same_convolution(2 * channels, 2 * channels, kernel_size)

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """See `Cell.forward`."""
        *others, z = state
        p, q = self.highway(x, z).chunk(2, dim=1)
        q = q.sigmoid()
        z = q * p.tanh() + (1 - q) * z
        step = super().forward(z, tuple(others), memory)
        return step._replace(state=(*step.state, z))
