"""A motion field is improved where images disagree with it, and left alone where they do not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from radar.extrapolation.motion import _gaussian, carried
from radar.extrapolation.refine import refined
from radar.sequence import Float32

SHAPE = (96, 112)
WHOLE = [np.ones(SHAPE, np.float32)] * 3


def images(east: float, south: float, growth: float = 1.0) -> list[np.ndarray]:
    """Three images of cells that move by so many pixels per timestep, 0 to 255."""
    noise = cv2.GaussianBlur(np.random.default_rng(5).normal(size=(200, 200)), (0, 0), 4)
    field = np.clip(120 + 90 * noise / noise.std(), 0, 255).astype(np.float32)
    shifts = [np.array([[1, 0, -40 + step * east], [0, 1, -40 + step * south]], np.float32) for step in range(3)]
    moved = [cv2.warpAffine(field, shift, SHAPE[::-1]) for shift in shifts]
    return [np.clip(image * growth**step, 0, 255).astype(np.uint8) for step, image in enumerate(moved)]


def constant(east: float, south: float) -> Float32:
    return np.stack([np.full(SHAPE, east, np.float32), np.full(SHAPE, south, np.float32)])


@pytest.mark.parametrize("start", [(1.5, -0.5), (2.0, 0.0), (1.0, -1.0)])
def test_the_motion_of_the_images_is_approached(start: tuple[float, float]) -> None:
    motion = refined(constant(*start), images(1.5, -0.5), WHOLE, carried, _gaussian)[:, 16:-16, 16:-16]
    error, before = (np.hypot(m[0] - 1.5, m[1] + 0.5).mean() for m in (motion, constant(*start)))
    assert error < max(0.1, 0.5 * before)


def test_images_that_agree_change_nothing_and_growth_is_no_motion() -> None:
    still = refined(constant(0, 0), images(0, 0), WHOLE, carried, _gaussian)
    np.testing.assert_allclose(still, 0, atol=0.02)
    growing = refined(constant(0, 0), images(0, 0, growth=1.05), WHOLE, carried, _gaussian)
    assert np.abs(growing.mean(axis=(1, 2))).max() < 0.1


def test_the_edge_of_the_data_does_not_move() -> None:
    """The first images lack their left half, of rain that stands still."""
    still = images(0, 0)
    known = [np.ones(SHAPE, np.float32) for _ in still]
    for image, there in list(zip(still, known, strict=True))[:2]:
        image[:, :50], there[:, :50] = 0, 0
    motion = refined(constant(0, 0), still, known, carried, _gaussian)
    np.testing.assert_allclose(motion, 0, atol=0.05)
