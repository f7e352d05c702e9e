"""A motion field made better by the error that it leaves: least squares over small windows, as in Lucas and Kanade.

Earlier images are carried to the last one along the field. The difference there is explained by a small change of the
field (Lucas and Kanade, 1981; over several images and with weights that discount growth and decay).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from radar.sequence import Float32

_ITERATIONS = 2
IMAGES = 3
"""The newest images that are read: the last, and those that are compared with it."""
_BLUR = 1.75
"""Standard deviation in pixels of a blur of the images, so that their gradients reach as far as the errors do."""
_WINDOW = 12.0
"""Standard deviation in pixels of the windows that share a change."""
_ALL_KNOWN = 0.99
_STIFFNESS = 0.5
"""How much a change is held back, in parts of the mean squared gradient."""
_GROWTH = np.float32(20)
"""Counts (5 dB) from which a difference is rather growth or decay than motion."""
_LARGEST_CHANGE = np.float32(1)
"""Pixels per timestep by which one iteration changes a motion at most."""

Carry = Callable[[Sequence[Float32], Float32], Iterator[Float32]]
"""Images for leads 1, 2, ... carried along a motion: `radar.extrapolation.motion.carried`."""
Blur = Callable[[Float32, float], Float32]


def refined(
    motion: Float32, images: Sequence[np.ndarray], known: Sequence[Float32], carry: Carry, blur: Blur
) -> Float32:
    """Change a motion field so that earlier images, carried along it, are like the last.

    Parameters
    ----------
    motion : float32 (2, H, W)
        Pixels per timestep.
    images : sequence of uint8 (H, W)
        Oldest first.
    known : sequence of float32 (H, W)
        1 where an image has data, 0 where it has none: its edge does not move with the rain.
    """
    newest = zip(images, known, strict=True)
    smooth = [_blurred(image.astype(np.float32), there) for image, there in newest]
    for _ in range(_ITERATIONS):
        motion = motion + _change(motion, smooth, carry, blur)
    return motion


def _blurred(image: Float32, known: Float32) -> Float32:
    """An image blurred; NaN where pixels without data are near."""
    near = cv2.GaussianBlur(known, (0, 0), _BLUR)
    return np.where(near < _ALL_KNOWN, np.float32(np.nan), cv2.GaussianBlur(image, (0, 0), _BLUR))


def _change(motion: Float32, images: Sequence[Float32], carry: Carry, blur: Blur) -> Float32:
    """The least squares of the differences over a window around each pixel, (2, H, W)."""
    last = np.nan_to_num(images[-1])
    missing = np.isnan(images[-1])
    sums = np.zeros((5, *last.shape), np.float32)
    for lead, carried in enumerate(carry(images[-2::-1], motion), 1):
        there = np.where(np.isnan(carried) | missing, last, carried)
        across, down = (
            cv2.Sobel((there + last) * 0.5, cv2.CV_32F, x, y, ksize=3, scale=1 / 8) for x, y in ((1, 0), (0, 1))
        )
        difference = there - last
        weight = np.float32(lead) / (1 + (difference / _GROWTH) ** 2)
        parts = (
            lead * across * across,
            lead * across * down,
            lead * down * down,
            across * difference,
            down * difference,
        )
        for total, part in zip(sums, parts, strict=True):
            total += weight * part
    xx, xy, yy, x, y = (blur(each, _WINDOW) for each in sums)
    held = np.float32(max(_STIFFNESS * float((xx + yy).mean()), 1e-5))
    xx, yy = xx + held, yy + held
    change = np.stack([yy * x - xy * y, xx * y - xy * x]) / (xx * yy - xy * xy)
    return np.clip(change, -_LARGEST_CHANGE, _LARGEST_CHANGE).astype(np.float32, copy=False)
