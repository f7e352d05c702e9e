"""MotionRNN (Wu et al., 2021, arXiv:2103.02243): a MIM cell whose output is moved by a learnt transient and trend."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.cells.base import Cell, CellState, CellStep
from models.cells.mim import MemoryInMemory
from models.cells.predrnn import ZigzagLSTM, ZigzagStep
from models.cells.warp import Warp

_WINDOW = 3
_TREND_STEP = 0.5


class MotionGRU(nn.Module):
    """Moves an output h along k^2 flows at half its resolution.

    e = conv 2x2 stride 2 of h (C -> C/4); [u r] = s(1x1 [e, F]); z = tanh(1x1 [e, r F]); M' = M + 0.5 (F - M);
    F' = u z + (1 - u) F + M'; w_j = mask_j warp(e, F'_j) with mask = s(1x1 e) and F'_j the j-th pair (u, v) of F';
    d = deconv 4x4 stride 2 of 1x1 of the w_j; g = s(1x1 [d, h]); X = g h + (1 - g) d.

    Parameters
    ----------
    channels : int
        A multiple of 4.
    authors_quirks : bool
        Warp in mixed conventions, and read the memory of the w_j, laid out by pixels, as if laid out by channels.
    """

    def __init__(self, channels: int, *, authors_quirks: bool = False) -> None:
        super().__init__()
        few, flows = channels // 4, 2 * _WINDOW**2
        self.states = (CellState("flow", flows, halvings=1), CellState("trend", flows, halvings=1))
        self.encoder = nn.Conv2d(channels, few, 2, stride=2)
        self.gates = nn.Conv2d(few + flows, 2 * flows, 1)
        self.transient = nn.Conv2d(few + flows, flows, 1)
        self.mask = nn.Conv2d(few, _WINDOW**2, 1)
        self.mix = nn.Conv2d(_WINDOW**2 * few, few, 1)
        self.decoder = nn.ConvTranspose2d(few, channels, 4, stride=2, padding=1)
        self.share = nn.Conv2d(2 * channels, channels, 1)
        self.warp = Warp(mixed_conventions=authors_quirks)
        self.pixel_major = authors_quirks

    def forward(self, h: Tensor, flow: Tensor, trend: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """From h (B, C, H, W), H and W even, and the states at half its resolution: X and the new states."""
        e = self.encoder(h)
        u, r = self.gates(torch.cat([e, flow], dim=1)).sigmoid().chunk(2, dim=1)
        z = self.transient(torch.cat([e, r * flow], dim=1)).tanh()
        trend = trend + _TREND_STEP * (flow - trend)
        flow = u * z + (1 - u) * flow + trend
        d = self.decoder(self.mix(self._moved(e, flow)))
        g = self.share(torch.cat([d, h], dim=1)).sigmoid()
        return g * h + (1 - g) * d, (flow, trend)

    def _moved(self, e: Tensor, flow: Tensor) -> Tensor:
        """The w_j, (B, C/4 k^2, H/2, W/2): channel c k^2 + j is channel c of w_j."""
        masks = self.mask(e).sigmoid().split(1, dim=1)
        moved = [mask * warped for mask, warped in zip(masks, self.warp(e, flow), strict=True)]
        if self.pixel_major:
            return torch.stack(moved, dim=-1).reshape(e.shape[0], -1, *e.shape[2:])
        return torch.stack(moved, dim=2).flatten(1, 2)


class MotionRNN(Cell):
    """h' = X + (1 - o) x, where X is `MotionGRU` of the output of a MIM cell, and o is that cell's output gate.

    The last layer of a network is a MIM cell: there the MotionGRU would not affect the output.

    Parameters
    ----------
    first : bool
        Whether it is the first layer of a network, with PredRNN's equations instead of MIM's (see
        `models.cells.mim.MIM`).
    """

    has_memory = True

    def __init__(self, channels: int, kernel_size: int, *, first: bool, authors_quirks: bool = False) -> None:
        super().__init__()
        self.inner = _FirstLayer(channels, kernel_size) if first else MemoryInMemory(channels, kernel_size)
        self.motion = MotionGRU(channels, authors_quirks=authors_quirks)
        self.states = (*self.motion.states, *self.inner.states)
        self.remembers_without_skip = authors_quirks and not first

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """See `Cell.forward`."""
        assert memory is not None  # noqa: S101
        flow, trend, *inner = state
        step, (h, *others) = self.inner(x, tuple(inner), memory)
        moved, motion = self.motion(h, flow, trend)
        h = moved + (1 - step.o) * x
        return CellStep(h, (*motion, h, *others), step.m)


class _FirstLayer(nn.Module):
    """PredRNN's equations in the form of `MemoryInMemory`."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.lstm = ZigzagLSTM(channels, kernel_size)
        self.states = (CellState("h", channels), CellState("c", channels))

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor) -> tuple[ZigzagStep, tuple[Tensor, ...]]:
        step = self.lstm(x, *state, memory)
        return step, (step.h, step.c)
