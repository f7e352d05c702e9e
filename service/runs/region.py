"""A part of a grid, given in degrees."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from radar.errors import InvalidRequest
from radar.grid import Grid
from service.runs.reader import Window

_POINTS = 65
"""Points on each edge of a box: its straight lines are curves on the grid."""
_SOUTHERNMOST = -80.0
"""The south pole itself lies at infinity on a stereographic map of the north."""


def parse_bbox(text: str) -> tuple[float, float, float, float]:
    """west,south,east,north in degrees; raises InvalidRequest for anything else."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
        usable = all(map(math.isfinite, (west, south, east, north)))
    except ValueError:
        usable = False
    if not usable or not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InvalidRequest(
            expected="bbox=west,south,east,north in degrees, west below east and south below north",
            got=f"{text[:80]!r}",
            remedy="e.g. bbox=13.0,52.3,13.8,52.7 for Berlin",
        )
    return west, south, east, north


def window_of(grid: Grid, bbox: tuple[float, float, float, float]) -> Window:
    """The rows and columns that cover a box; raises InvalidRequest if it lies outside, UnknownGrid without a place."""
    west, south, east, north = bbox
    along, up = np.linspace(west, east, _POINTS), np.linspace(max(south, _SOUTHERNMOST), north, _POINTS)
    lon = np.concatenate([along, along, np.full(_POINTS, west), np.full(_POINTS, east)])
    lat = np.concatenate([np.full(_POINTS, up[0]), np.full(_POINTS, north), up, up])
    rows, columns = grid.to_row_column(lat, lon)
    row, column = _cut(rows, grid.shape[0]), _cut(columns, grid.shape[1])
    if row.start >= row.stop or column.start >= column.stop:
        raise InvalidRequest(
            expected=f"a box that touches grid {grid.name}",
            got=f"bbox={west:g},{south:g},{east:g},{north:g}, outside it",
            remedy="longitudes come first and third (west,south,east,north); without bbox comes the whole grid",
        )
    return row, column


def part_of(grid: Grid, window: Window) -> Grid:
    """The grid of a window; the grid itself if the window covers it."""
    row, column = window
    rows, columns = range(grid.shape[0])[row], range(grid.shape[1])[column]
    if (len(rows), len(columns)) == grid.shape:
        return grid
    metres = 1000 * grid.pixel_size_km
    corner = (grid.north_west[0] + metres * columns.start, grid.north_west[1] - metres * rows.start)
    return replace(grid, shape=(len(rows), len(columns)), north_west=corner)


def _cut(positions: np.ndarray, size: int) -> slice:
    """The pixels from the lowest to the highest of some positions, within the grid."""
    finite = positions[np.isfinite(positions)]
    if not finite.size:
        return slice(0, 0)
    lowest, highest = math.floor(finite.min() + 0.5), math.floor(finite.max() + 0.5)
    return slice(max(0, lowest), min(size, highest + 1))
