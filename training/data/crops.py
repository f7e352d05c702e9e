"""The place of a crop of a frame: drawn towards rain, and away from areas without data if possible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Corner = tuple[int, int]
"""Row and column of the upper left pixel."""


def draw_corner(
    shape: tuple[int, int],
    size: tuple[int, int],
    weight: Callable[[Corner], float],
    candidates: int,
    draw: np.random.Generator,
) -> Corner:
    """One of several corners, drawn with probabilities proportional to their weights.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the frame.
    size : tuple of int
        Rows and columns of the crop, which fits into the frame.
    weight : function
        Returns the weight of a corner, above 0: the wet fraction of its crop, for instance.
    candidates : int
        The number of corners that are drawn anywhere; one of them is kept.
    """
    rows, columns = (edge - cut + 1 for edge, cut in zip(shape, size, strict=True))
    corners = [(int(draw.integers(rows)), int(draw.integers(columns))) for _ in range(candidates)]
    odds = np.array([weight(corner) for corner in corners])
    return corners[int(draw.choice(len(corners), p=odds / odds.sum()))]
