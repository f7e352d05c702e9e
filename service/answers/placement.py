"""The place of an answer's pixels on the ground, for maps that show a picture without coordinates."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from radar.grid import Grid
from service.http.own_headers import Own

_CORNERS = ("north_west", "north_east", "south_east", "south_west")
"""In the order in which web maps take the corners of an image."""
_LONGEST_HEADER = 500


@lru_cache(maxsize=32)
def placement(grid: Grid) -> dict[str, Any]:
    """Bounds in metres of the projection, corners and centre in degrees; all null for a grid of unknown place.

    Bounds and corners are those of the outermost pixels' outer edges: half a pixel outside their centres.
    """
    if grid.projection is None:
        return {"bounds": None, "corners": None, "centre": None}
    height, width = grid.shape
    rows = np.array([0, 0, height, height, height / 2]) - 0.5
    columns = np.array([0, width, width, 0, width / 2]) - 0.5
    places = [
        {"lat": round(float(a), 6), "lon": round(float(o), 6)}
        for a, o in zip(*grid.to_lat_lon(rows, columns), strict=True)
    ]
    metres = 1000 * grid.pixel_size_km
    west, north = grid.north_west[0] - metres / 2, grid.north_west[1] + metres / 2
    return {
        "bounds": [round(edge, 3) for edge in (west, north - height * metres, west + width * metres, north)],
        "corners": dict(zip(_CORNERS, places[:4], strict=True)),
        "centre": places[4],
    }


@lru_cache(maxsize=32)
def placement_headers(grid: Grid) -> dict[str, str]:
    """The same for answers that hold only pixels; none for a grid of unknown place."""
    placed = placement(grid)
    if placed["bounds"] is None:
        return {}
    corners = [f"{place['lat']:.6f},{place['lon']:.6f}" for place in placed["corners"].values()]
    return {
        Own.PROJECTION: _proj(str(grid.projection)),
        Own.BOUNDS: ",".join(f"{edge:.3f}" for edge in placed["bounds"]),
        Own.CORNERS: " ".join(corners),
    }


def _proj(projection: str) -> str:
    """A PROJ string: well-known text is too long for a header."""
    if projection.startswith("+proj") and len(projection) < _LONGEST_HEADER:
        return projection
    from rasterio.crs import CRS

    return str(CRS.from_string(projection).to_proj4())
