"""MIM, memory in memory (Wang et al., 2019, arXiv:1811.07490): the forget gate becomes two recurrent modules."""

from __future__ import annotations

from torch import Tensor, nn

from models.cells.base import Cell, CellState, CellStep
from models.cells.gates import lstm_update, same_convolution, split_output_gate
from models.cells.predrnn import ZigzagLSTM, ZigzagStep


class NonStationary(nn.Module):
    """[i f g] = W * [d, n]; n' = s(f) n + s(i) tanh(g); D = s(Wo * [d, n']) tanh(n')."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.gates = same_convolution(2 * channels, 3 * channels, kernel_size)
        self.output_gate = same_convolution(2 * channels, channels, kernel_size)

    def forward(self, d: Tensor, n: Tensor) -> tuple[Tensor, Tensor]:
        """The differenced input and the state -> D and the new state."""
        n = lstm_update(self.gates(d, n), n)
        return self.output_gate(d, n).sigmoid() * n.tanh(), n


class Stationary(nn.Module):
    """[i f g o] = W * [D, c]; q' = s(f) q + s(i) tanh(g); S = s(o + Wo * q') tanh(q')."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.gates = same_convolution(2 * channels, 4 * channels, kernel_size)
        self.output_gate = same_convolution(channels, channels, kernel_size)

    def forward(self, difference: Tensor, c: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """D, the cell state and the state -> S and the new state."""
        gates, o = split_output_gate(self.gates(difference, c))
        q = lstm_update(gates, q)
        return (o + self.output_gate(q)).sigmoid() * q.tanh(), q


class MemoryInMemory(nn.Module):
    """PredRNN's equations with c' = S + s(i) tanh(g), S made of d = x - x_prev by the two modules above."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.non_stationary = NonStationary(channels, kernel_size)
        self.stationary = Stationary(channels, kernel_size)
        self.lstm = ZigzagLSTM(channels, kernel_size, forgets=False)
        self.states = tuple(CellState(name, channels) for name in ("h", "c", "n", "q", "x"))

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor) -> tuple[ZigzagStep, tuple[Tensor, ...]]:
        """The step of the LSTM, and the new states."""
        h, c, n, q, x_prev = state
        difference, n = self.non_stationary(x - x_prev, n)
        kept, q = self.stationary(difference, c, q)
        step = self.lstm(x, h, kept, memory)
        return step, (step.h, step.c, n, q, x)


class MIM(Cell):
    """`MemoryInMemory` as a layer. A network's first layer is a PredRNN cell: there S would not affect the output."""

    has_memory = True

    def __init__(self, channels: int, kernel_size: int, *, authors_quirks: bool = False) -> None:
        super().__init__()
        self.mim = MemoryInMemory(channels, kernel_size)
        self.states = self.mim.states
        self.remembers_without_skip = authors_quirks

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """See `Cell.forward`."""
        assert memory is not None  # noqa: S101
        step, state = self.mim(x, state, memory)
        return CellStep(step.h, state, step.m)
