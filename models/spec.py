"""The settings of a network; torch is not needed."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field
from typing import Any

PLAIN = (0, 0, 0, 0, 0, 0)
MULTI_SCALE = (0, 1, 2, 2, 1, 0)

_ADDED_LATER = {"added": "later"}


def added_later(default: Any) -> Any:  # noqa: ANN401
    """A setting that older configurations lack: while it has its default, their digest stays the same."""
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=_ADDED_LATER)
    return field(default=default, metadata=_ADDED_LATER)


def is_added_later(setting: Field[Any], value: object) -> bool:
    """Whether a setting was added later and has its default."""
    default = setting.default if setting.default_factory is MISSING else setting.default_factory()
    return setting.metadata == _ADDED_LATER and value == default


CELL_NAMES = ("convlstm", "trajgru", "predrnn", "predrnn++", "mim", "motionrnn", "predrnn-v2", "preciplstm")
"""The keys of `models.zoo.CELLS`, available without torch."""
_HALF_RESOLUTION_CELLS = ("motionrnn",)
"""Cells with states at half the resolution of their layer."""


@dataclass(frozen=True)
class NetworkSpec:
    """Everything that is needed to build a network.

    Parameters
    ----------
    cell : str
        A key of `models.zoo.CELLS`.
    scales : tuple of int
        Layer l works at 1 / 2^scales[l] of the resolution; all zeros is the plain stack.
    channels, kernel_size : int
        Hidden channels of every layer, and the edge of its convolutions (odd).
    patch : int
        patch x patch pixels are folded into channels before the embedding and unfolded after the head.
    inputs : tuple of str
        ("rain",) as in the papers, or ("rain", "coverage").
    attention_window : int
        Edge of the window of local attention, in pixels of each layer (PrecipLSTM only).
    authors_quirks : bool
        Reproduce the authors' arithmetic where it deviates from correct mathematics.
    """

    cell: str
    scales: tuple[int, ...] = PLAIN
    channels: int = 64
    kernel_size: int = 3
    patch: int = 1
    inputs: tuple[str, ...] = ("rain",)
    attention_window: int = added_later(30)
    authors_quirks: bool = False

    @property
    def pad_multiple(self) -> int:
        """Frames are padded to a multiple of this in rows and columns."""
        halvings = max(self.scales) + (self.cell in _HALF_RESOLUTION_CELLS)
        return int(self.patch * 2**halvings)
