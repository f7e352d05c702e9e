"""PredRNN-V2 (Wang et al., 2021, arXiv:2103.09504): PredRNN, trained to keep its two memories different."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.cells.base import Cell, CellState, CellStep
from models.cells.gates import same_convolution


class PredRNNV2(Cell):
    """PredRNN's equations with a penalty in training: |cosine similarity| (B, C) of the increments of c and m.

    Parameters
    ----------
    adapter : Conv2d
        1x1, shared by all layers; both increments pass through it before they are compared.
    """

    has_memory = True

    def __init__(self, channels: int, kernel_size: int, adapter: nn.Conv2d) -> None:
        super().__init__()
        self.states = (CellState("h", channels), CellState("c", channels))
        self.gates = same_convolution(2 * channels, 4 * channels, kernel_size)
        self.memory_gates = same_convolution(2 * channels, 3 * channels, kernel_size)
        self.output_gate = same_convolution(2 * channels, channels, kernel_size)
        self.output = nn.Conv2d(2 * channels, channels, 1)
        self.adapter = adapter

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """See `Cell.forward`; the penalty is None outside training."""
        assert memory is not None  # noqa: S101
        h, c = state
        i, f, g, o = self.gates(x, h).chunk(4, dim=1)
        c_increment = i.sigmoid() * g.tanh()
        c = f.sigmoid() * c + c_increment
        i, f, g = self.memory_gates(x, memory).chunk(3, dim=1)
        m_increment = i.sigmoid() * g.tanh()
        m = f.sigmoid() * memory + m_increment
        memories = torch.cat([c, m], dim=1)
        h = (o + self.output_gate(memories)).sigmoid() * self.output(memories).tanh()
        penalty = self._similarity(c_increment, m_increment) if self.training else None
        return CellStep(h, (h, c), m, penalty)

    def _similarity(self, one: Tensor, other: Tensor) -> Tensor:
        return F.cosine_similarity(self.adapter(one).flatten(2), self.adapter(other).flatten(2), dim=2).abs()
