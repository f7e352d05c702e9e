"""The protocol of a cell: the equations of one layer and one time step, and nothing else."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class CellState(NamedTuple):
    """One recurrent state of a cell: its name, channels, and how often its resolution is halved."""

    name: str
    channels: int
    halvings: int = 0


class CellStep(NamedTuple):
    """What a cell gives back.

    Parameters
    ----------
    output : Tensor (B, C, H, W)
    state : tuple of Tensor
        New values, in the order of `Cell.states`.
    memory : Tensor or None
        The spatio-temporal memory, for cells that have one.
    penalty : Tensor or None
        A term that the cell adds to the training loss.
    """

    output: Tensor
    state: tuple[Tensor, ...]
    memory: Tensor | None = None
    penalty: Tensor | None = None


class Cell(nn.Module):
    """A recurrent cell; subclasses hold equations only and know no device, size or configuration.

    Attributes
    ----------
    states : tuple of CellState
        All start as zeros.
    has_memory : bool
        Whether the cell passes a spatio-temporal memory from layer to layer.
    remembers_without_skip : bool
        The last state is the layer's own input; where the stack added a skip connection to it, it is remembered without
        (the authors' MS-MIM and MS-MotionRNN).
    """

    states: tuple[CellState, ...]
    has_memory: bool = False
    remembers_without_skip: bool = False

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """Read x (B, C, H, W) and the former state and memory; give the output and the new ones."""
        raise NotImplementedError
