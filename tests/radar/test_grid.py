from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radar.errors import UnknownGrid
from radar.grid import KNOWN_GRIDS, Grid, grid_named, grid_of_shape, recognise

NAMES = pytest.mark.parametrize("name", list(KNOWN_GRIDS))


@pytest.mark.parametrize(
    ("grid", "row", "column", "lat", "lon"),
    [
        # The outer corners that DWD publishes for 900x900 ...
        ("radolan", 899.5, -0.5, 46.9526, 3.5889),
        ("radolan", -0.5, -0.5, 54.5877, 2.0715),
        ("radolan", 899.5, 899.5, 47.0705, 14.6209),
        ("radolan", -0.5, 899.5, 54.7405, 15.7208),
        # ... and writes into its HDF5 files for DE1200.
        ("de1200", -0.5, -0.5, 55.86208711, 1.46330151),
        ("de1200", -0.5, 1099.5, 55.84543856, 18.73161645),
        ("de1200", 1199.5, -0.5, 45.69642538, 3.566994635),
        ("de1200", 1199.5, 1099.5, 45.68460578, 16.58086935),
    ],
)
def test_corners_are_where_dwd_says(grid: str, row: float, column: float, lat: float, lon: float) -> None:
    np.testing.assert_allclose(KNOWN_GRIDS[grid].to_lat_lon(row, column), (lat, lon), atol=1e-4)


def test_radolans_reference_point_is_the_middle_of_its_pixels() -> None:
    """9 E, 51 N is the corner that pixels 449 and 450 share."""
    np.testing.assert_allclose(KNOWN_GRIDS["radolan"].to_row_column(51.0, 9.0), (449.5, 449.5), atol=1e-6)


def test_radklim_starts_80_km_further_east_and_100_km_further_south() -> None:
    radolan, radklim = KNOWN_GRIDS["radolan"], KNOWN_GRIDS["radklim"]
    row, column = radolan.to_row_column(*radklim.to_lat_lon(radklim.shape[0] - 1, 0))
    np.testing.assert_allclose((row, column), (radolan.shape[0] - 1 + 100, 80), atol=1e-6)


@NAMES
@given(row=st.floats(-100, 1300), column=st.floats(-100, 1300))
def test_places_and_positions_are_each_others_inverse(name: str, row: float, column: float) -> None:
    grid = KNOWN_GRIDS[name]
    np.testing.assert_allclose(grid.to_row_column(*grid.to_lat_lon(row, column)), (row, column), atol=1e-6)


@NAMES
def test_latitudes_and_longitudes_agree_with_single_places(name: str) -> None:
    grid = KNOWN_GRIDS[name]
    lat, lon = grid.lat_lon()
    assert lat.shape == lon.shape == grid.shape
    np.testing.assert_allclose((lat[7, 301], lon[7, 301]), grid.to_lat_lon(7, 301), rtol=1e-12)
    assert lat[0, 450] > lat[-1, 450]
    assert lon[450, 0] < lon[450, -1]
    with pytest.raises(ValueError, match="read-only"):
        lat[0, 0] = 0


@NAMES
def test_a_known_grid_is_recognised_when_written_with_a_false_easting(name: str) -> None:
    grid = KNOWN_GRIDS[name]
    shifted = f"{grid.projection} +x_0=1000 +y_0=-5000"
    x, y = grid.north_west
    assert recognise(replace(grid, name="other", projection=shifted, north_west=(x + 1000, y - 5000))) == grid


def test_sphere_and_ellipsoid_are_told_apart() -> None:
    """The two 900x900 grids lie kilometres apart on the ground although their pixels look alike."""
    assert recognise(replace(KNOWN_GRIDS["radolan-wgs84"], name="x")).name == "radolan-wgs84"
    assert recognise(replace(KNOWN_GRIDS["radolan"], name="x")).name == "radolan"


def test_half_a_pixel_makes_another_grid() -> None:
    grid = KNOWN_GRIDS["radolan"]
    moved = replace(grid, name="moved", north_west=(grid.north_west[0] + 500, grid.north_west[1]))
    assert recognise(moved) is moved
    assert moved.key.startswith("moved-")
    assert moved.key != replace(moved, pixel_size_km=0.5).key
    assert grid.key == "radolan"


def test_a_grid_of_unknown_place_says_so() -> None:
    grid = grid_of_shape((20, 30), 1.0)
    assert (grid.shape, grid.pixel_size_km, grid.projection) == ((20, 30), 1.0, None)
    with pytest.raises(UnknownGrid, match="20x30 pixels of unknown place"):
        grid.to_lat_lon(0, 0)
    with pytest.raises(UnknownGrid):
        grid.lat_lon()


def test_known_shapes_and_names_are_found() -> None:
    assert grid_of_shape((900, 900), 1.0) is KNOWN_GRIDS["radolan"]
    assert grid_of_shape((900, 900), 0.5).name == "unreferenced"
    assert grid_named("de1200").shape == (1200, 1100)
    with pytest.raises(UnknownGrid, match="one of the grids radolan, radolan-wgs84, radklim, de1200"):
        grid_named("de1100")


def test_coordinates_are_pixel_centres() -> None:
    grid = Grid("mine", (2, 3), 0.5, None, (100.0, 200.0))
    np.testing.assert_array_equal(grid.x_metres, [100, 600, 1100])
    np.testing.assert_array_equal(grid.y_metres, [200, -300])
