"""TrajGRU (Shi et al., 2017, arXiv:1706.03458): a gated recurrent unit that looks back along learnt trajectories."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.cells.base import Cell, CellState, CellStep
from models.cells.gates import same_convolution
from models.cells.warp import Warp

_LINKS = 10
_SLOPE = 0.2


class TrajGRU(Cell):
    """L links, each a flow (u, v) to the place that the state is taken from.

    flow = Wf * leaky(W * [x, h]); [zh rh nh] = 1x1 of the L warp(h, -flow_k); [zx rx nx] = Wx * x; z = s(zx + zh);
    r = s(rx + rh); n = leaky(nx + r nh); h' = (1 - z) n + z h.
    """

    def __init__(self, channels: int, kernel_size: int, *, authors_quirks: bool = False) -> None:
        super().__init__()
        self.states = (CellState("h", channels),)
        self.flow_features = same_convolution(2 * channels, channels, kernel_size)
        self.flows = same_convolution(channels, 2 * _LINKS, kernel_size)
        self.input_gates = same_convolution(channels, 3 * channels, kernel_size)
        self.state_gates = torch.nn.Conv2d(_LINKS * channels, 3 * channels, 1)
        self.warp = Warp(mixed_conventions=authors_quirks)

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """See `Cell.forward`; the memory passes through unchanged."""
        (h,) = state
        flows = self.flows(F.leaky_relu(self.flow_features(x, h), _SLOPE))
        zh, rh, nh = self.state_gates(torch.cat(self.warp(h, -flows), dim=1)).chunk(3, dim=1)
        zx, rx, nx = self.input_gates(x).chunk(3, dim=1)
        z, r = (zx + zh).sigmoid(), (rx + rh).sigmoid()
        n = F.leaky_relu(nx + r * nh, _SLOPE)
        h = (1 - z) * n + z * h
        return CellStep(h, (h,), memory)
