"""Rain as CF NetCDF, written: forecasts for callers. radar/netcdf_reader.py reads."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import h5py
import numpy as np
import numpy.typing as npt

from radar.grid import Grid
from radar.sequence import Float32, FrameSequence

Attribute = str | int | float | npt.NDArray[np.float32]

_EPOCH = {"units": "seconds since 1970-01-01 00:00:00", "calendar": "standard"}


@dataclass(frozen=True)
class Quantity:
    """What the numbers of a field are: a variable's name and its attributes."""

    name: str
    attributes: tuple[tuple[str, str], ...]


RAINFALL_RATE = Quantity(
    "rainfall_rate",
    (("standard_name", "rainfall_rate"), ("long_name", "rainfall rate"), ("units", "mm h-1")),
)


def to_netcdf(
    sequence: FrameSequence, *, attributes: Mapping[str, str] | None = None, quantity: Quantity = RAINFALL_RATE
) -> bytes:
    """A sequence as a CF-1.9 NetCDF-4 file in memory, uncompressed.

    It holds rainfall_rate(time, y, x), float32 in mm h-1 with NaN for no data, on the grid's x and y, with
    two-dimensional lat and lon and the projection in `crs`; a grid of unknown place has x and y only. Forecasts
    have forecast_reference_time and lead_time besides.

    Parameters
    ----------
    sequence : FrameSequence
    attributes : mapping of str to str
        Global attributes to add, e.g. the model's name.
    quantity : Quantity
        What `rain_rate` holds, if it is something else.

    Returns
    -------
    bytes
        NetCDF-4 is HDF5 with dimension scales; written as that, a frame's bytes are copied half as often.
    """
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        write_dimensions(file, sequence.grid, sequence.valid_times)
        coordinates = _write_place(file, sequence.grid) + _write_lead_times(file, sequence)
        rain: dict[str, Attribute] = {"_FillValue": np.array([np.nan], np.float32)}
        if coordinates:
            rain["coordinates"] = " ".join(coordinates)
        if "crs" in file:
            rain["grid_mapping"] = "crs"
        described = {**dict(quantity.attributes), **rain}
        write_variable(file, quantity.name, sequence.rain_rate, ("time", "y", "x"), described)
        set_attributes(file, {"Conventions": "CF-1.9", "product": sequence.product, **(attributes or {})})
        set_attributes(file, {"time_step_s": 60 * sequence.timestep_minutes})
        set_attributes(file, {"row_order": "row 0 is north (y descends)"})
    return stream.getvalue()


def write_dimensions(file: h5py.File, grid: Grid, valid_times: Sequence[datetime]) -> None:
    """The dimension scales time, y and x of a CF file."""
    times = [int(time.timestamp()) for time in valid_times]
    centre, projected = {"units": "m", "long_name": "pixel centre"}, grid.projection is not None
    for axis, values in (("y", grid.y_metres), ("x", grid.x_metres)):
        named = {"standard_name": f"projection_{axis}_coordinate"} if projected else {}
        write_variable(file, axis, values, (), {**centre, **named, "axis": axis.upper()})
    write_variable(
        file,
        "time",
        np.array(times),
        (),
        {**_EPOCH, "standard_name": "time", "axis": "T", "long_name": "end of interval"},
    )
    for name in ("time", "y", "x"):
        file[name].make_scale(name)


def _write_place(file: h5py.File, grid: Grid) -> list[str]:
    """Projection, latitudes and longitudes, as far as the grid has a place; the names of the coordinates."""
    if grid.projection is None:
        return []
    write_variable(file, "crs", np.int32(0), (), mapping_attributes(grid.projection))
    for name, values in zip(("lat", "lon"), _lat_lon(grid), strict=True):
        kind, direction = ("latitude", "north") if name == "lat" else ("longitude", "east")
        write_variable(file, name, values, ("y", "x"), {"standard_name": kind, "units": f"degrees_{direction}"})
    return ["lat", "lon"]


def _write_lead_times(file: h5py.File, sequence: FrameSequence) -> list[str]:
    if sequence.reference_time is None:
        return []
    reference = np.int64(sequence.reference_time.timestamp())
    named = {"standard_name": "forecast_reference_time"}
    write_variable(file, "forecast_reference_time", reference, (), {**_EPOCH, **named})
    leads = np.array(sequence.lead_minutes, np.int32)
    write_variable(file, "lead_time", leads, ("time",), {"standard_name": "forecast_period", "units": "minutes"})
    return ["forecast_reference_time", "lead_time"]


def write_variable(
    file: h5py.File, name: str, values: npt.ArrayLike, dimensions: tuple[str, ...], attributes: Mapping[str, Attribute]
) -> None:
    """One variable with the scales of its dimensions."""
    dataset = file.create_dataset(name, data=values)
    set_attributes(dataset, attributes)
    for index, dimension in enumerate(dimensions):
        dataset.dims[index].attach_scale(file[dimension])


def set_attributes(target: h5py.HLObject, attributes: Mapping[str, Attribute]) -> None:
    """Attributes as every NetCDF library reads them; empty texts are left out."""
    for key, value in attributes.items():
        if value == "":  # HDF5 has no empty fixed-length strings
            continue
        # ASCII as fixed-length text is NetCDF's char, which every reader knows; str becomes its newer string.
        plain = isinstance(value, str) and value.isascii()
        target.attrs[key] = np.bytes_(str(value).encode()) if plain else value


@lru_cache(maxsize=4)
def _lat_lon(grid: Grid) -> tuple[Float32, Float32]:
    """As float32, which is exact to half a metre."""
    lat, lon = grid.lat_lon()
    return lat.astype(np.float32), lon.astype(np.float32)


@lru_cache(maxsize=8)
def mapping_attributes(projection: str) -> dict[str, Attribute]:
    """A projection as attributes of a CF grid mapping."""
    from pyproj import CRS

    attributes = dict(CRS.from_user_input(projection).to_cf())
    if attributes.get("grid_mapping_name") == "polar_stereographic":
        # CF requires the pole, which pyproj leaves out; all known grids are northern.
        attributes.setdefault("latitude_of_projection_origin", 90.0)
    return attributes
