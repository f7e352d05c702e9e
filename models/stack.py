"""Layers of cells, each at its scale: the multi-scale part of a network.

Layer l works at 1 / 2^scales[l] of the resolution (Ma, Zhang and Liu, 2022, arXiv:2206.03010). A step to a coarser
scale pools; a step to a finer scale upsamples and adds the output of the encoder layer of that scale; equal scales
pass arrays on unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from models.cells.base import Cell, CellStep


class StackState(NamedTuple):
    """One state of the stack: name, channels and scale relative to the stack's input."""

    name: str
    channels: int
    scale: int


class StackStep(NamedTuple):
    """Output of the last layer (B, C, H, W), new states, and the cells' penalties."""

    output: Tensor
    states: tuple[Tensor, ...]
    penalties: tuple[Tensor, ...]


class Stack(nn.Module):
    """Cells in a row, at scales that may rise (coarser) and then fall (finer).

    Parameters
    ----------
    cells : sequence of Cell
    scales : sequence of int
        One per cell, neighbours differing by at most 1. The first is that of the memory on entry.
    memory_channels : int
        Channels of the spatio-temporal memory, where the cells have one.

    Attributes
    ----------
    checkpointing : bool
        Recompute each cell in the backward pass instead of keeping its intermediate results: less memory, more time.
    """

    def __init__(self, cells: Sequence[Cell], scales: Sequence[int], memory_channels: int) -> None:
        super().__init__()
        if len(cells) != len(scales) or any(abs(b - a) > 1 for a, b in pairwise(scales)):
            raise ValueError(f"expected {len(cells)} scales in steps of at most 1, got {tuple(scales)}")
        if scales[0] != 0 or scales[-1] != 0:
            raise ValueError(f"expected scales that begin and end with 0, got {tuple(scales)}")
        self.cells = nn.ModuleList(cells)
        self._state_counts = tuple(len(cell.states) for cell in cells)
        self.scales = tuple(scales)
        self.states = tuple(
            StackState(f"layer{index}_{state.name}", state.channels, scale + state.halvings)
            for index, (cell, scale) in enumerate(zip(cells, scales, strict=True))
            for state in cell.states
        )
        self.checkpointing = False
        self.has_memory = any(cell.has_memory for cell in cells)
        if self.has_memory:
            self.states += (StackState("memory", memory_channels, 0),)

    def forward(self, x: Tensor, states: Sequence[Tensor]) -> StackStep:
        """One time step: x (B, C, H, W) up the layers, with `states` in the order of `self.states`."""
        waiting = list(states)
        memory = waiting.pop() if self.has_memory else None
        encoder: dict[int, Tensor] = {}
        new_states: list[Tensor] = []
        penalties: list[Tensor] = []
        scale = self.scales[0]
        for cell, next_scale, count in zip(self.cells, self.scales, self._state_counts, strict=True):
            moved, memory = _moved(x, scale, next_scale), None if memory is None else _moved(memory, scale, next_scale)
            x = moved + encoder[next_scale] if next_scale < scale else moved
            scale = next_scale
            step = self._step(cell, x, tuple(waiting[:count]), memory)
            x, state, memory, penalty = step
            if cell.remembers_without_skip:
                state = (*state[:-1], moved)
            waiting = waiting[count:]
            new_states += state
            penalties += [] if penalty is None else [penalty]
            encoder.setdefault(scale, x)
        if memory is not None:
            new_states.append(memory)
        return StackStep(x, tuple(new_states), tuple(penalties))

    def _step(self, cell: nn.Module, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        if self.checkpointing and torch.is_grad_enabled():
            step = checkpoint(cell, x, state, memory, use_reentrant=False, preserve_rng_state=False)
        else:
            step = cell(x, state, memory)
        assert isinstance(step, CellStep)  # noqa: S101
        return step


def _moved(x: Tensor, scale: int, to: int) -> Tensor:
    """Convert x to the next layer's scale; only a layer's input gets the skip connection, not the memory."""
    if to > scale:
        return F.max_pool2d(x, 2)
    if to < scale:
        return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    return x
