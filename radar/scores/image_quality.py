"""Scores of frames as pictures, SSIM and PSNR, as in the literature on video prediction.

Both are of frames in network units (`radar.rain.RainScaling`: dBZ from -10 to 60 as 0 to 1), so their data range is 1.
Sums are additive, as in `radar.scores.pixels`.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from radar.scores.pixels import ErrorSum, mse, ratio
from radar.scores.probability import MeanSum
from radar.sequence import Float32

_WIDTH, _SIGMA = 11, 1.5
_LUMINANCE, _CONTRAST = 0.01**2, 0.03**2
"""Constants of Wang et al. for a data range of 1."""


def ssim_sum(forecast: Float32, observed: Float32) -> MeanSum:
    """Structural similarity: compares mean, contrast and pattern, window by window.

    Wang et al. (2004), doi:10.1109/TIP.2003.819861: Gaussian windows of 11 x 11 pixels, sigma 1.5.

    Parameters
    ----------
    forecast, observed : float32 (H, W)
        Network units, 0 to 1. Only windows within the frame and without NaN in either field count.
    """
    known = np.isfinite(forecast) & np.isfinite(observed)
    unknown = (~known).astype(np.float32)
    whole = _inner(cast(Float32, cv2.dilate(unknown, np.ones((_WIDTH, _WIDTH), np.uint8)))) == 0
    similarity = _similarity(np.where(known, forecast, np.float32(0)), np.where(known, observed, np.float32(0)))
    return MeanSum(float(_inner(similarity)[whole].sum(dtype=np.float64)), int(np.count_nonzero(whole)))


def ssim(sums: MeanSum) -> float:
    """Mean structural similarity, up to 1; also 1 where both are dry; NaN without any whole window."""
    return ratio(sums.total, sums.count)


def psnr(errors: ErrorSum) -> float:
    """Peak signal-to-noise ratio in dB of errors in network units: 10 log10(1 / mean squared error).

    NaN without any pixel; NaN too without any error, where it would be infinite.
    """
    return cast(float, 10 * np.log10(ratio(1.0, mse(errors))))


def _similarity(a: Float32, b: Float32) -> Float32:
    mean_a, mean_b = _blur(a), _blur(b)
    variances = _blur(a * a) + _blur(b * b) - mean_a**2 - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    same = (2 * mean_a * mean_b + _LUMINANCE) * (2 * covariance + _CONTRAST)
    return cast(Float32, same / ((mean_a**2 + mean_b**2 + _LUMINANCE) * (variances + _CONTRAST)))


def _blur(field: Float32) -> Float32:
    return cast(Float32, cv2.GaussianBlur(field, (_WIDTH, _WIDTH), _SIGMA))


def _inner(field: Float32) -> Float32:
    """The field without its border, whose windows extend beyond the frame."""
    edge = _WIDTH // 2
    return field[edge:-edge, edge:-edge]
