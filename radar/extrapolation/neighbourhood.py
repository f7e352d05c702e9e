"""Probabilities of rain from the neighbourhood of each pixel, and from several forecasts for the same time.

A single forecast misplaces its rain, and more so the longer the lead time. The share of pixels around a place with
forecast rain is therefore a better probability than yes or no: the neighbourhood method (Theis, Hense and Damrath,
2005, doi:10.1017/S1350482705001763). Slightly earlier forecasts for the same time are further members of the sample: a
time-lagged ensemble (Hoffman and Kalnay, 1983, doi:10.1111/j.1600-0870.1983.tb00189.x).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from radar.sequence import Float32

Mask = npt.NDArray[np.bool_]


def half_width_km(lead_minutes: float) -> float:
    """Half the edge of the square neighbourhood: it grows with lead time, as the place of rain becomes uncertain.

    Chosen by Brier scores on the training events: docs/lab/probabilities.md.
    """
    return 0.4 * lead_minutes


def half_width_pixels(lead_minutes: float, pixel_size_km: float) -> int:
    """The same in whole pixels on each side of the middle one."""
    return round(half_width_km(lead_minutes) / pixel_size_km)


def exceedance_probability(
    members: Sequence[Float32], threshold: float, half_width: int, weights: Sequence[int] | None = None
) -> Float32:
    """The share of pixels at or above a threshold in squares around each pixel, over all members.

    Parameters
    ----------
    members : sequence of float32 (H, W)
        mm/h, NaN = no data, forecasts for one time.
    threshold : float
        mm/h.
    half_width : int
        Squares have 2 * half_width + 1 pixels on a side; 0 is the pixel alone.
    weights : sequence of int or None
        The weight of each member, at least 1 for the first; None weighs all equally.

    Returns
    -------
    float32 (H, W)
        0 to 1, over the pixels with data; NaN where the first member has no data.
    """
    known = [np.isfinite(member) for member in members]
    exceeding = [member >= threshold for member in members]
    return pooled_shares([exceeding], known, half_width, weights or [1] * len(members))[0]


def pooled_shares(
    exceeding: Sequence[Sequence[Mask]], known: Sequence[Mask], half_width: int, weights: Sequence[int]
) -> list[Float32]:
    """As `exceedance_probability` for several thresholds at once.

    Parameters
    ----------
    exceeding : sequence of sequences of bool (H, W)
        For each threshold, where each member is at or above it; False where it has no data.
    known : sequence of bool (H, W)
        Where each member has data.
    """
    # Where the first member has data its own pixel counts, so the divisor is at least 1.
    pixels = np.maximum(_around(_count(known, weights), half_width), np.float32(1))
    hits = (_around(_count(members, weights), half_width) for members in exceeding)
    return [np.where(known[0], hit / pixels, np.float32(np.nan)) for hit in hits]


def _count(masks: Sequence[Mask], weights: Sequence[int]) -> Float32:
    """The sum of the weights of the members whose mask is set, at each pixel."""
    total = np.zeros(masks[0].shape, np.float32)
    for mask, weight in zip(masks, weights, strict=True):
        total += np.float32(weight) * mask
    return total


def _around(counts: Float32, half_width: int) -> Float32:
    """Sums over squares; exact, because they add whole numbers. Pixels outside the frame count as 0."""
    size = (2 * half_width + 1, 2 * half_width + 1)
    summed = cv2.boxFilter(counts, cv2.CV_32F, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
    return cast(Float32, np.rint(summed))
