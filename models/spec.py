"""What a network is, in numbers and names; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

PLAIN = (0, 0, 0, 0, 0, 0)
MULTI_SCALE = (0, 1, 2, 2, 1, 0)


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
    authors_quirks : bool
        Reproduce the authors' arithmetic where it departs from sound mathematics.
    """

    cell: str
    scales: tuple[int, ...] = PLAIN
    channels: int = 64
    kernel_size: int = 3
    patch: int = 1
    inputs: tuple[str, ...] = ("rain",)
    authors_quirks: bool = False

    @property
    def pad_multiple(self) -> int:
        """Frames are padded to a multiple of this in rows and columns."""
        return int(self.patch * 2 ** max(self.scales))
