"""The protocol of a cell: only the equations of one layer and one time step."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class CellState(NamedTuple):
    """One recurrent state of a cell: its name, channels, and how often its resolution is halved."""

    name: str
    channels: int
    halvings: int = 0


class CellStep(NamedTuple):
    """The results of a cell.

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
    """A recurrent cell; subclasses hold equations only, without device, size or configuration.

    Attributes
    ----------
    states : tuple of CellState
        All start as zeros.
    has_memory : bool
        Whether the cell passes a spatio-temporal memory from layer to layer.
    remembers_without_skip : bool
        Whether the last state, which is the layer's own input, is kept without the stack's skip connection (in the
        authors' MS-MIM and MS-MotionRNN).
    """

    states: tuple[CellState, ...]
    has_memory: bool = False
    remembers_without_skip: bool = False

    def forward(self, x: Tensor, state: tuple[Tensor, ...], memory: Tensor | None) -> CellStep:
        """Read x (B, C, H, W) and the previous state and memory; return the output and the new ones."""
        raise NotImplementedError
