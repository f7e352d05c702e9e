"""Log-odds go along the motion, stay at the inflow edge, and are known where the last frame is."""

from __future__ import annotations

import numpy as np

from models.exceedance.ground import NEVER, Ground
from radar.sequence import Float32

SIZE = 40


def field() -> Float32:
    """Log-odds (2, H, W): a storm in the middle."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    storm = 3 - ((rows - 20) ** 2 + (columns - 20) ** 2) / 20
    return np.stack([storm, storm - 2]).astype(np.float32)


def rain(missing: bool = False) -> Float32:
    """A wet frame (1, H, W), whose first columns have no data if asked for."""
    frame = np.full((1, SIZE, SIZE), 2.0, np.float32)
    if missing:
        frame[:, :, :6] = np.nan
    return frame


def to_the_east(pixels: float) -> Float32:
    motion = np.zeros((2, SIZE, SIZE), np.float32)
    motion[0] = pixels
    return motion


def test_all_thresholds_go_along_the_motion() -> None:
    ground = Ground(rain(), to_the_east(2.0))
    for lead in range(1, 4):
        carried = ground.carry(field())
        for plane, start in zip(carried, field(), strict=True):
            np.testing.assert_allclose(plane[:, 10 + 2 * lead :], start[:, 10 : SIZE - 2 * lead], atol=1e-3)


def test_where_rain_would_come_from_nowhere_the_lead_before_stays() -> None:
    ground = Ground(rain(missing=True), to_the_east(2.0))
    first, second = (ground.carry(field() + lead).copy() for lead in range(2))
    assert np.isnan(first[:, :, :6]).all()
    assert np.isfinite(second[:, :, 6:]).all()
    np.testing.assert_array_equal(first[:, :, 6:8], field()[:, :, 6:8])  # as if it had not moved
    np.testing.assert_array_equal(second[:, :, 6:8], first[:, :, 6:8])
    np.testing.assert_allclose(second[:, :, 12:], field()[:, :, 8:-4] + 1, atol=1e-3)


def test_without_motion_they_stay_where_they_are() -> None:
    np.testing.assert_array_equal(Ground(rain(), None).carry(field()), field())


def test_without_any_rain_nothing_is_likely() -> None:
    carried = Ground(0 * rain(missing=True), to_the_east(2.0)).carry(field())
    assert (carried[:, :, 6:] == NEVER).all()
    assert np.isnan(carried[:, :, :6]).all()
