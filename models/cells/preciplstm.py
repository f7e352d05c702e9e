"""PrecipLSTM (Ma, Zhang and Liu, IEEE TGRS 60, 2022): local attention, and memories of space and of time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.cells.base import Cell, CellState, CellStep
from models.cells.gates import lstm_update, same_convolution, split_output_gate
from models.cells.local_attention import LocalAttention


class PrecipLSTM(Cell):
    """An LSTM with three more memories: m up the layers, a of space, b of time.

    xa = x + Wa * attention(x); [i f g o] = W * [xa, h]; c' = s(f) c + s(i) tanh(g). In the same form m' follows from
    [xa, m], a' from [xa, a] and b' from [x - x_prev, b], where x_prev is this layer's input one step before.
    o' = s(o + Wo * [c', a', b', m']); h' = o' tanh(1x1 [c', a', b', m']).
    """

    has_memory = True

    def __init__(self, channels: int, kernel_size: int, window: int, strips: int = 1) -> None:
        super().__init__()
        self.states = tuple(CellState(name, channels) for name in ("h", "c", "a", "b", "x"))
        self.attention = LocalAttention(channels, window, strips)
        self.attended = same_convolution(channels, channels, kernel_size)
        self.gates = same_convolution(2 * channels, 4 * channels, kernel_size)
        self.memory_gates = same_convolution(2 * channels, 3 * channels, kernel_size)
        self.spatial_gates = same_convolution(2 * channels, 3 * channels, kernel_size)
        self.temporal_gates = same_convolution(2 * channels, 3 * channels, kernel_size)
        self.output_gate = same_convolution(4 * channels, channels, kernel_size)
        self.output = nn.Conv2d(4 * channels, channels, 1)

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """See `Cell.forward`."""
        assert memory is not None  # noqa: S101
        h, c, a, b, x_prev = state
        xa = x + self.attended(self.attention(x))
        gates, o = split_output_gate(self.gates(xa, h))
        c = lstm_update(gates, c)
        m = lstm_update(self.memory_gates(xa, memory), memory)
        a = lstm_update(self.spatial_gates(xa, a), a)
        b = lstm_update(self.temporal_gates(x - x_prev, b), b)
        memories = torch.cat([c, a, b, m], dim=1)
        h = (o + self.output_gate(memories)).sigmoid() * self.output(memories).tanh()
        return CellStep(h, (h, c, a, b, x), m)
