"""The grid of a NetCDF file, from its axes, its grid mapping or its two-dimensional latitudes and longitudes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from radar.files.netcdf.times import NotRead
from radar.files.netcdf.units import metres
from radar.files.netcdf.variable import PROJECTED, REPROJECT, RainVariable
from radar.grid import KNOWN_GRIDS, Grid, recognise

if TYPE_CHECKING:
    import xarray as xr

_NEAR_DEGREES = 0.01
"""Degrees of latitude: about one pixel, so that a file may give the pixels' centres or corners."""
_NEAR_METRES = 100.0
_ROUNDING_METRES = 0.002
_SMALLEST_PIXEL_METRES = 10.0
"""Smaller steps of an axis without a unit are pixel numbers or km, not metres."""


class Placed(NamedTuple):
    """A grid, and whether row 0 of the file is in the north and column 0 in the west."""

    grid: Grid
    north_up: bool
    west_first: bool


def find_grid(dataset: xr.Dataset, rain: RainVariable) -> Placed:
    """The grid of a variable of rain.

    Raises
    ------
    NotRead
        The axes have a unit other than length, the pixels are uneven or oblong, or the projection is unknown.
    """
    projection = _projection(dataset, rain.values)
    if projection is None and (known := _known_by_places(dataset)) is not None:
        return known
    x, y = (_axis_metres(dataset, axis) for axis in (rain.columns, rain.rows))
    north_up, west_first = len(y) < 2 or bool(y[0] > y[-1]), len(x) < 2 or bool(x[0] < x[-1])
    x, y = x if west_first else x[::-1], y[::-1] if north_up else y
    step = _even_step(x)
    if abs(_even_step(y) - step) > 0.001 * step:
        raise NotRead("square pixels", f"{step:g} m wide and of another height")
    shape, north_west = (len(y), len(x)), (float(x[0]), float(y[-1]))
    name = "unreferenced" if projection is None else f"{shape[0]}x{shape[1]}"
    grid = Grid(name, shape, step / 1000, projection, north_west)
    return Placed(_recognised(grid), north_up, west_first)


def _recognised(grid: Grid) -> Grid:
    """DWD's grid at this place, or else the grid itself.

    radolan_to_netcdf writes the lower left corners of pixels as x and y, and wradlib writes no projection.
    """
    half = 500 * grid.pixel_size_km
    x, y = grid.north_west
    for corner in ((x, y), (x + half, y + half)):
        moved = replace(grid, north_west=corner)
        if grid.projection is not None and (known := recognise(moved)) is not moved:
            return known
        for known in KNOWN_GRIDS.values() if grid.projection is None else ():
            is_there = np.abs(np.subtract(known.north_west, corner)).max() < _NEAR_METRES
            if known.shape == grid.shape and abs(known.pixel_size_km - grid.pixel_size_km) < 1e-6 and is_there:
                return known
    return grid


def _axis_metres(dataset: xr.Dataset, axis: str) -> npt.NDArray[np.float64]:
    if axis not in dataset.variables:
        raise NotRead("x and y in metres or km, or two-dimensional lat and lon of a known grid", f"no variable {axis}")
    units = str(dataset[axis].attrs.get("units", "")).strip()
    factor = metres(units) if units else 1.0
    values = dataset[axis].values.astype(np.float64)
    if factor is None:
        raise NotRead("x and y in metres or km", f"{axis} in {units!r}", REPROJECT)
    if not units and len(values) > 1 and abs(values[1] - values[0]) < _SMALLEST_PIXEL_METRES:
        raise NotRead("units of x and y", f"none, and steps of {abs(values[1] - values[0]):g}")
    return values * factor


def _even_step(centres: npt.NDArray[np.float64]) -> float:
    steps = np.diff(centres)
    if len(steps) == 0:
        raise NotRead("at least 2x2 pixels", "fewer")
    mean = float(steps.mean())
    if not mean > 0 or np.abs(steps - mean).max() > 0.001 * mean:
        raise NotRead("evenly spaced pixels, x growing", f"steps of {steps.min():g} to {steps.max():g} m")
    # float32 in km resolves half a metre, and a mean of 1000 such steps half a millimetre.
    return float(round(mean)) if abs(mean - round(mean)) < _ROUNDING_METRES else round(mean, 6)


def _known_by_places(dataset: xr.Dataset) -> Placed | None:
    """The known grid nearest to the file's two-dimensional latitudes and longitudes."""
    places = {kind: _places(dataset, kind) for kind in ("latitude", "longitude")}
    if places["latitude"] is None or places["longitude"] is None:
        return None
    edge = np.ix_([0, -1], [0, -1])
    lat, lon = places["latitude"].values[edge], places["longitude"].values[edge]
    north_up, west_first = bool(lat[0, 0] > lat[1, 0]), bool(lon[0, 0] < lon[0, 1])
    turned = np.stack([lat, lon], axis=-1)[:: 1 if north_up else -1, :: 1 if west_first else -1].reshape(4, 2)
    candidates = [grid for grid in KNOWN_GRIDS.values() if grid.shape == places["latitude"].shape]
    # A degree of longitude is half as long as one of latitude at 60 N.
    degrees = [float(np.abs((grid.corners() - turned) * (1, 0.5)).max()) for grid in candidates]
    if not candidates or not min(degrees) < _NEAR_DEGREES:
        return None
    # The 900x900 grids on the sphere and on WGS84 lie one and a half pixels apart, hence the nearest.
    return Placed(candidates[degrees.index(min(degrees))], north_up, west_first)


def _places(dataset: xr.Dataset, kind: str) -> xr.DataArray | None:
    """The two-dimensional latitudes or longitudes."""
    for name, variable in dataset.variables.items():
        is_kind = variable.attrs.get("standard_name") == kind or str(name) in (kind, f"{kind}s", kind[:3])
        if is_kind and variable.ndim == 2:
            return dataset[name]
    return None


def _projection(dataset: xr.Dataset, rain: xr.DataArray) -> str | None:
    """The projection of the grid mapping that the rain variable names, or of the file's only one, as WKT."""
    mapping = _mapping(dataset, str(rain.attrs.get("grid_mapping", "")))
    if mapping is None:
        return None
    attributes = dict(dataset[mapping].attrs)
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    if attributes.get("semi_major_axis") and not {"semi_minor_axis", "inverse_flattening", "crs_wkt"} & set(attributes):
        # pyproj reads an earth given by one axis as WGS84, which moves every place by 13 km.
        attributes.setdefault("earth_radius", attributes.pop("semi_major_axis"))
    wkt = attributes.get("crs_wkt", attributes.get("spatial_ref"))
    try:
        crs = CRS.from_user_input(str(wkt)) if wkt else CRS.from_cf(attributes)
    except (CRSError, KeyError) as error:
        raise NotRead(f"a projection that pyproj knows in {mapping}", str(error)[:60]) from None
    if crs.is_geographic:
        raise NotRead(PROJECTED, f"the grid mapping latitude_longitude in {mapping}", REPROJECT)
    return str(wkt) if wkt else str(crs.to_wkt())


def _mapping(dataset: xr.Dataset, grid_mapping: str) -> str | None:
    """The grid mapping's variable; `crs: x y` is CF's long form, and radolan_to_netcdf's names differ in case."""
    name = grid_mapping.split(":")[0].strip()
    if name in dataset.variables:
        return name
    mappings = [str(n) for n, v in dataset.variables.items() if {"grid_mapping_name", "crs_wkt"} & set(v.attrs)]
    alike = [mapping for mapping in mappings if mapping.lower() == name.lower()]
    if alike or len(mappings) == 1:
        return (alike or mappings)[0]
    return None
