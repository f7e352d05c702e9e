from __future__ import annotations

import math

import numpy as np
import pytest

from radar.scores.image_quality import psnr, ssim, ssim_sum
from radar.scores.pixels import ErrorSum, error_sum
from radar.sequence import Float32

NAN = np.float32(np.nan)


def picture(seed: int, size: int = 30) -> Float32:
    return np.random.default_rng(seed).uniform(0, 1, (size, size)).astype(np.float32)


def flat(value: float, size: int = 12) -> Float32:
    return np.full((size, size), value, np.float32)


def test_hand_worked_ssim_of_flat_pictures_is_their_luminance() -> None:
    # no contrast in either: (2 x 0.5 x 0.25 + 0.01^2) / (0.5^2 + 0.25^2 + 0.01^2)
    assert ssim(ssim_sum(flat(0.5), flat(0.25))) == pytest.approx(0.2501 / 0.3126, rel=1e-4)


def test_equal_pictures_are_alike_and_dry_ones_too() -> None:
    assert ssim(ssim_sum(picture(1), picture(1))) == pytest.approx(1)
    assert ssim(ssim_sum(flat(0), flat(0))) == 1
    assert ssim(ssim_sum(picture(1), picture(2))) < 0.2


def test_only_whole_windows_count() -> None:
    assert ssim_sum(picture(1), picture(2)).count == 20 * 20
    gap = picture(1)
    gap[15, 15] = NAN
    assert ssim_sum(gap, picture(2)).count == 20 * 20 - 11 * 11
    assert ssim_sum(picture(2), gap).count == 20 * 20 - 11 * 11


def test_what_is_missing_does_not_matter() -> None:
    seen, other = picture(1), picture(1)
    said = picture(2)
    said[:, :10] = NAN
    other[:, :10] = 0.5
    assert ssim_sum(said, seen) == ssim_sum(said, other)


def test_pictures_without_a_whole_window_have_no_score() -> None:
    assert math.isnan(ssim(ssim_sum(flat(1, 8), flat(1, 8))))
    assert math.isnan(ssim(ssim_sum(flat(np.nan), flat(1))))


def test_hand_worked_psnr() -> None:
    assert psnr(error_sum(flat(0.6), flat(0.5))) == pytest.approx(20, rel=1e-5)  # an error of a tenth of the range


def test_psnr_is_undefined_without_errors_and_without_pixels() -> None:
    assert math.isnan(psnr(ErrorSum(0, 0, 9)))
    assert math.isnan(psnr(ErrorSum()))


def test_adding_sums_is_scoring_all_frames() -> None:
    pairs = [(picture(1), picture(2)), (picture(3), picture(3))]
    one, other = (ssim_sum(*pair) for pair in pairs)
    assert ssim(one + other) == pytest.approx((ssim(one) + ssim(other)) / 2)
