"""Boxes in degrees, on grids whose rows are no parallels."""

from __future__ import annotations

import numpy as np
import pytest

from radar.errors import InvalidRequest, UnknownGrid
from radar.grid import Grid, grid_named
from service.runs.reader import WHOLE
from service.runs.region import parse_bbox, part_of, window_of

RADOLAN = grid_named("radolan")


def test_every_pixel_in_the_box_is_in_the_window() -> None:
    bbox = (12.0, 51.0, 14.0, 53.0)
    row, column = window_of(RADOLAN, bbox)
    lat, lon = RADOLAN.lat_lon()
    inside = (lon >= 12) & (lon <= 14) & (lat >= 51) & (lat <= 53)
    outside = inside.copy()
    outside[row, column] = False
    assert inside.any()
    assert not outside.any()
    # No more than the curved sides of the box need: a little more than it covers.
    assert inside.sum() > 0.8 * (row.stop - row.start) * (column.stop - column.start)


def test_the_part_lies_where_its_pixels_lay() -> None:
    window = window_of(RADOLAN, (9.0, 48.0, 10.0, 48.5))
    part = part_of(RADOLAN, window)
    for whole, cut in zip(RADOLAN.lat_lon(), part.lat_lon(), strict=True):
        np.testing.assert_allclose(cut, whole[window], atol=1e-9)
    assert part.key.startswith("radolan-")


def test_a_box_beyond_the_grid_is_cut() -> None:
    assert part_of(RADOLAN, window_of(RADOLAN, (-180.0, -90.0, 180.0, 90.0))) is RADOLAN
    assert part_of(RADOLAN, WHOLE) is RADOLAN
    row, column = window_of(RADOLAN, (0.0, 40.0, 10.0, 50.0))
    assert (row.stop, column.start) == (900, 0)


def test_a_place_has_a_pixel() -> None:
    row, column = window_of(RADOLAN, (13.4, 52.5, 13.4001, 52.5001))
    nearest = np.rint(RADOLAN.to_row_column(52.5, 13.4)).astype(int)
    assert (row.start, column.start) == tuple(nearest)
    assert part_of(RADOLAN, (row, column)).shape == (1, 1)


@pytest.mark.parametrize("bbox", [(100.0, 10.0, 110.0, 20.0), (-80.0, -60.0, -70.0, -50.0), (19.5, 40.0, 20.0, 41.0)])
def test_a_box_outside_is_refused(bbox: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidRequest, match="outside"):
        window_of(RADOLAN, bbox)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3",
        "1,2,3,4,5",
        "a,b,c,d",
        "nan,1,2,3",
        "5,50,4,51",
        "4,51,5,50",
        "4,50,4,51",
        "-181,0,1,1",
        "1e400,0,1,1",
    ],
)
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="west,south,east,north"):
        parse_bbox(text)


def test_a_grid_without_a_place_has_no_boxes() -> None:
    with pytest.raises(UnknownGrid):
        window_of(Grid("unreferenced", (4, 4), 1.0), (9.0, 48.0, 10.0, 48.5))
