"""Shares of rain nearby, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from radar.extrapolation.neighbourhood import exceedance_probability, half_width_pixels

NAN = np.nan


def field(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_the_pixel_alone_is_yes_or_no() -> None:
    rain = field([0.0, 1.0], [2.0, NAN])
    np.testing.assert_array_equal(exceedance_probability([rain], 1.0, 0), field([0, 1], [1, NAN]))


def test_shares_are_over_the_pixels_with_data_in_the_square() -> None:
    rain = field([1, 0, 0, 0], [0, NAN, 0, 0], [0, 0, 0, 5])
    chance = exceedance_probability([rain], 1.0, 1)
    assert chance[0, 0] == pytest.approx(1 / 3)  # of four, one is missing
    assert chance[0, 1] == pytest.approx(1 / 5)
    assert chance[2, 3] == pytest.approx(1 / 4)
    assert chance[1, 2] == pytest.approx(1 / 8)
    assert np.isnan(chance[1, 1])


def test_members_are_pooled_and_the_first_says_where_there_is_data() -> None:
    first, second = field([2, 0, NAN]), field([2, 2, 2])
    np.testing.assert_array_equal(exceedance_probability([first, second], 1.0, 0), field([1, 0.5, NAN]))
    np.testing.assert_array_equal(exceedance_probability([first, field([NAN, NAN, 1])], 1.0, 0), field([1, 0, NAN]))


def test_members_count_by_their_weights() -> None:
    chance = exceedance_probability([field([2, 0, 0]), field([0, 2, 0])], 1.0, 0, [3, 1])
    np.testing.assert_array_equal(chance, field([0.75, 0.25, 0]))
    assert exceedance_probability([field([2, 0, 0]), field([0, 2, 0])], 1.0, 1, [3, 1])[0, 0] == 4 / 8


def test_dry_is_never_and_rain_everywhere_is_certain() -> None:
    assert (exceedance_probability([np.zeros((30, 30), np.float32)], 0.1, 7) == 0).all()
    assert (exceedance_probability([np.full((30, 30), 3, np.float32)] * 4, 0.1, 7) == 1).all()


def test_a_larger_grid_by_brute_force() -> None:
    draw = np.random.default_rng(5)
    members = draw.gamma(0.3, 5, (3, 23, 31)).astype(np.float32)
    members[draw.random(members.shape) < 0.2] = np.nan
    chance = exceedance_probability(list(members), 1.0, 4)
    for row, column in [(0, 0), (11, 15), (22, 30), (3, 28)]:
        square = members[:, max(0, row - 4) : row + 5, max(0, column - 4) : column + 5]
        expected = (square >= 1).sum() / np.isfinite(square).sum()
        wanted = expected if np.isfinite(members[0, row, column]) else np.nan
        np.testing.assert_allclose(chance[row, column], wanted, rtol=1e-6)


def test_squares_grow_with_the_lead_time() -> None:
    assert [half_width_pixels(lead, 1.0) for lead in (0, 5, 30, 60)] == [0, 2, 12, 24]
    assert half_width_pixels(60, 0.5) == 48
