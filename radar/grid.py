"""Grids of radar composites: the place of each pixel, and the known grids of Germany's radar."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from radar.errors import UnknownGrid

if TYPE_CHECKING:
    from pyproj import Transformer

Float64 = npt.NDArray[np.float64]

_SPHERE = "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +a=6370040 +b=6370040 +units=m +no_defs"
_WGS84 = "+proj=stere +lat_0=90 +lat_ts=60 +lon_0=10 +ellps=WGS84 +units=m +no_defs"


@dataclass(frozen=True)
class Grid:
    """A regular grid of square pixels; row 0 is north, column 0 is west.

    Parameters
    ----------
    name : str
        One of `KNOWN_GRIDS`, or a name that the caller chooses.
    shape : (int, int)
        Rows and columns.
    pixel_size_km : float
        Edge of a pixel in the projection.
    projection : str or None
        PROJ string or WKT; None for an array with only a known pixel size.
    north_west : (float, float)
        x and y in metres of the centre of pixel (0, 0).
    """

    name: str
    shape: tuple[int, int]
    pixel_size_km: float
    projection: str | None = None
    north_west: tuple[float, float] = (0.0, 0.0)

    @property
    def key(self) -> str:
        """The name of a known grid; otherwise the name and a digest, so that two grids never share a key."""
        if KNOWN_GRIDS.get(self.name) == self:
            return self.name
        return f"{self.name}-{hashlib.sha256(repr(self).encode()).hexdigest()[:8]}"

    @property
    def x_metres(self) -> Float64:
        """Pixel centres (W,), growing eastwards."""
        return np.asarray(self.north_west[0] + 1000 * self.pixel_size_km * np.arange(self.shape[1]), np.float64)

    @property
    def y_metres(self) -> Float64:
        """Pixel centres (H,), falling southwards."""
        return np.asarray(self.north_west[1] - 1000 * self.pixel_size_km * np.arange(self.shape[0]), np.float64)

    def lat_lon(self) -> tuple[Float64, Float64]:
        """Latitudes and longitudes in degrees of all pixel centres, each (H, W), read-only.

        Raises
        ------
        UnknownGrid
            The grid has no projection.
        """
        return _lat_lon(self)

    def to_lat_lon(self, row: npt.ArrayLike, column: npt.ArrayLike) -> tuple[Float64, Float64]:
        """Latitudes and longitudes in degrees of (fractional) positions; (0, 0) is a pixel centre.

        Raises
        ------
        UnknownGrid
            The grid has no projection.
        """
        metres = 1000 * self.pixel_size_km
        x = self.north_west[0] + metres * np.asarray(column, np.float64)
        y = self.north_west[1] - metres * np.asarray(row, np.float64)
        lon, lat = _to_degrees(self).transform(x, y)
        return np.asarray(lat), np.asarray(lon)

    def to_row_column(self, lat: npt.ArrayLike, lon: npt.ArrayLike) -> tuple[Float64, Float64]:
        """The (fractional) rows and columns of places, which may lie outside the grid; inverse of `to_lat_lon`."""
        x, y = _to_degrees(self).transform(lon, lat, direction="INVERSE")
        metres = 1000 * self.pixel_size_km
        return (self.north_west[1] - np.asarray(y)) / metres, (np.asarray(x) - self.north_west[0]) / metres

    def corners(self) -> Float64:
        """Latitude and longitude of the corner pixels' centres, (4, 2): NW, NE, SW, SE."""
        south, east = self.shape[0] - 1, self.shape[1] - 1
        return np.stack(self.to_lat_lon([0, 0, south, south], [0, east, 0, east]), axis=1)


KNOWN_GRIDS: dict[str, Grid] = {
    grid.name: grid
    for grid in (
        Grid("radolan", (900, 900), 1.0, _SPHERE, (-522962.16692186, -3759144.72426557)),
        Grid("radolan-wgs84", (900, 900), 1.0, _WGS84, (-523196.83521777, -3772588.86193100)),
        Grid("radklim", (1100, 900), 1.0, _SPHERE, (-442962.16692186, -3659144.72426557)),
        Grid("de1200", (1200, 1100), 1.0, _WGS84, (-543196.83521776, -3622588.86193100)),
        Grid("radolan-europe", (1500, 1400), 1.0, _SPHERE, (-672962.16692186, -3509144.72426557)),
    )
}


def grid_named(name: str) -> Grid:
    """The known grid of that name.

    Raises
    ------
    UnknownGrid
        No grid has that name.
    """
    try:
        return KNOWN_GRIDS[name]
    except KeyError:
        raise UnknownGrid(
            expected="one of the grids " + ", ".join(KNOWN_GRIDS),
            got=f"{name[:60]!r}",
            remedy="name one of these, or send files, which hold their own grid",
        ) from None


def grid_of_shape(shape: tuple[int, int], pixel_size_km: float) -> Grid:
    """The first known grid of a shape; otherwise an unreferenced one of that pixel size."""
    for grid in KNOWN_GRIDS.values():
        if grid.shape == shape and abs(grid.pixel_size_km - pixel_size_km) < 0.01:
            return grid
    return Grid("unreferenced", shape, pixel_size_km)


def recognise(grid: Grid, tolerance_km: float = 0.1) -> Grid:
    """The known grid that covers the same ground, else `grid` itself.

    One composite is published with differently written projections (false easting or not), so corners on the ground
    are compared, not strings.
    """
    for known in KNOWN_GRIDS.values():
        if known.shape == grid.shape and _largest_distance_km(known, grid) < tolerance_km:
            return known
    return grid


def _largest_distance_km(one: Grid, other: Grid) -> float:
    degrees = one.corners() - other.corners()
    degrees[:, 1] *= np.cos(np.radians(one.corners()[:, 0]))
    return float(np.hypot(degrees[:, 0], degrees[:, 1]).max() * 111.2)


@lru_cache(maxsize=32)
def _to_degrees(grid: Grid) -> Transformer:
    # pyproj is imported where it is used: fitting a model needs no map.
    from pyproj import CRS, Transformer

    if grid.projection is None:
        raise UnknownGrid(
            expected="a grid with a projection",
            got=f"{grid.shape[0]}x{grid.shape[1]} pixels of unknown place",
            remedy="name the grid, e.g. grid=radolan",
        )
    return Transformer.from_crs(CRS.from_user_input(grid.projection), CRS.from_epsg(4326), always_xy=True)


@lru_cache(maxsize=8)
def _lat_lon(grid: Grid) -> tuple[Float64, Float64]:
    lat, lon = grid.to_lat_lon(*np.mgrid[: grid.shape[0], : grid.shape[1]])
    for array in (lat, lon):
        array.flags.writeable = False
    return lat, lon


def same_pixel_size(one_km: float, other_km: float) -> bool:
    """Whether pixel sizes differ by less than 2 %: those of projected composites are seldom whole kilometres."""
    return abs(one_km / other_km - 1) < 0.02
