"""The place of an answer's pixels on the ground, for maps that show a picture without coordinates."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from radar.grid import Grid
from service.answers.schema import CornersAnswer, DegreesAnswer, GridAnswer


@lru_cache(maxsize=32)
def describe_grid(grid: Grid) -> GridAnswer:
    """The description of a grid in answers."""
    bounds, corners, centre = _place(grid) if grid.projection else (None, None, None)
    return GridAnswer(
        name=grid.key,
        shape=grid.shape,
        pixel_size_km=grid.pixel_size_km,
        projection=grid.projection,
        north_west=grid.north_west,
        bounds=bounds,
        corners=corners,
        centre=centre,
    )


def _place(grid: Grid) -> tuple[tuple[float, float, float, float], CornersAnswer, DegreesAnswer]:
    """Bounds in metres of the projection, corners and centre in degrees.

    Bounds and corners are those of the outer edges of the outermost pixels: half a pixel outside their centres.
    """
    height, width = grid.shape
    rows = np.array([0, 0, height, height, height / 2]) - 0.5
    columns = np.array([0, width, width, 0, width / 2]) - 0.5
    degrees = zip(*grid.to_lat_lon(rows, columns), strict=True)
    *corners, centre = [DegreesAnswer(lat=round(float(lat), 6), lon=round(float(lon), 6)) for lat, lon in degrees]
    metres = 1000 * grid.pixel_size_km
    west, north = grid.north_west[0] - metres / 2, grid.north_west[1] + metres / 2
    south, east = north - height * metres, west + width * metres
    return (
        (round(west, 3), round(south, 3), round(east, 3), round(north, 3)),
        CornersAnswer(**dict(zip(("north_west", "north_east", "south_east", "south_west"), corners, strict=True))),
        centre,
    )
