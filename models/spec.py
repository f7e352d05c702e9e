"""What a network is, in numbers and names; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

PLAIN = (0, 0, 0, 0, 0, 0)
MULTI_SCALE = (0, 1, 2, 2, 1, 0)

ADDED_LATER = {"added": "later"}
"""Marks a setting that older configurations lack: at its default it leaves their digest as it was."""

_HALF_RESOLUTION_CELLS = ("motionrnn",)
"""Cells with states at half the resolution of their layer."""


@dataclass(frozen=True)
class NetworkSpec:
    """All that is needed to build a network.

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
        Edge of the window of local attention, in pixels of each layer (PrecipLSTM alone).
    authors_quirks : bool
        Reproduce the authors' arithmetic where it departs from sound mathematics.
    """

    cell: str
    scales: tuple[int, ...] = PLAIN
    channels: int = 64
    kernel_size: int = 3
    patch: int = 1
    inputs: tuple[str, ...] = ("rain",)
    attention_window: int = field(default=30, metadata=ADDED_LATER)
    authors_quirks: bool = False

    @property
    def pad_multiple(self) -> int:
        """Frames are padded to a multiple of this in rows and columns."""
        halvings = max(self.scales) + (self.cell in _HALF_RESOLUTION_CELLS)
        return int(self.patch * 2**halvings)
