"""The writer of rain as CF NetCDF: forecasts for callers."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import h5py
import numpy as np
import numpy.typing as npt

from radar.files.chunk import deflated
from radar.grid import Grid
from radar.sequence import Float32, FrameSequence, iso

Attribute = str | int | float | npt.NDArray[np.float32]

_FILTERS = {"shuffle": True, "compression": "gzip", "compression_opts": 1}
_EPOCH = {"units": "seconds since 1970-01-01 00:00:00", "calendar": "standard"}


@dataclass(frozen=True)
class Quantity:
    """The quantity in a field: a variable's name and its attributes."""

    name: str
    attributes: tuple[tuple[str, str], ...]


RAINFALL_RATE = Quantity(
    "rainfall_rate",
    (
        ("standard_name", "rainfall_rate"),
        ("long_name", "rainfall rate"),
        ("units", "mm h-1"),
        ("cell_methods", "time: mean"),
    ),
)


def to_netcdf(
    sequence: FrameSequence, *, attributes: Mapping[str, str] | None = None, quantity: Quantity = RAINFALL_RATE
) -> bytes:
    """A sequence as a CF-1.9 NetCDF-4 file in memory, deflated, a frame a chunk.

    It holds rainfall_rate(time, y, x), float32 in mm h-1 with NaN for no data, on the grid's x and y, with
    two-dimensional lat and lon and the projection in `crs`; a grid of unknown place has x and y only. Times are the
    ends of the intervals in `time_bnds`. Forecasts also have forecast_reference_time and lead_time.

    Parameters
    ----------
    sequence : FrameSequence
    attributes : mapping of str to str
        Global attributes to add, e.g. the model's name, or to replace: `title`, `history`.
    quantity : Quantity
        What `rain_rate` holds; rain rates by default.

    Returns
    -------
    bytes
        A NetCDF-4 file, written as HDF5 with dimension scales: this copies a frame's bytes half as often.
    """
    stream = io.BytesIO()
    # Without an order of links netCDF's libraries open the file for reading only: ncatted and append fail.
    with h5py.File(stream, "w", track_order=True) as file:
        write_dimensions(file, sequence.grid, sequence.valid_times)
        _write_intervals(file, sequence)
        coordinates = _write_place(file, sequence.grid) + _write_lead_times(file, sequence)
        rain: dict[str, Attribute] = {"_FillValue": np.array([np.nan], np.float32)}
        if coordinates:
            rain["coordinates"] = " ".join(coordinates)
        if "crs" in file:
            # xarray drops grid_mapping's variable when one variable is selected; rioxarray finds `crs` there.
            rain |= {"grid_mapping": "crs", "crs": mapping_attributes(str(sequence.grid.projection))["crs_wkt"]}
        described = {**dict(quantity.attributes), **rain}
        _write_frames(file, quantity.name, sequence.rain_rate, described)
        set_attributes(file, {"Conventions": "CF-1.9", **_about(sequence, quantity), **(attributes or {})})
        set_attributes(file, {"product": sequence.product, "time_step_s": 60 * sequence.timestep_minutes})
        set_attributes(file, {"row_order": "row 0 is north (y descends)"})
    return stream.getvalue()


def _about(sequence: FrameSequence, quantity: Quantity) -> dict[str, str]:
    """Title and history, as CF recommends them; the caller's attributes replace them."""
    start = f" from {iso(sequence.reference_time)}" if sequence.reference_time else ""
    what = dict(quantity.attributes).get("long_name", quantity.name)
    title = f"{what}, {sequence.product or 'radar'} on {sequence.grid.name}{start}"
    return {"title": title, "history": f"{iso(datetime.now(UTC))} written by Raincell"}


def _write_frames(file: h5py.File, name: str, frames: Float32, attributes: Mapping[str, Attribute]) -> None:
    """Write frames (T, H, W), each as one chunk."""
    shape = (1, *frames.shape[1:])
    rain = file.create_dataset(name, frames.shape, "<f4", chunks=shape, **_FILTERS, fillvalue=np.float32(np.nan))
    for index, frame in enumerate(frames):
        rain.id.write_direct_chunk((index, 0, 0), deflated(frame.astype("<f4", copy=False)))
    _describe(file, rain, ("time", "y", "x"), attributes)


def _write_intervals(file: h5py.File, sequence: FrameSequence) -> None:
    """Write the beginning and the end of each frame's interval."""
    ends = np.array([int(time.timestamp()) for time in sequence.valid_times])
    bounds = file.create_dataset("bnds", data=np.zeros(2, ">f4"))
    bounds.make_scale(f"This is a netCDF dimension but not a netCDF variable. {2:10d}")
    edges = np.stack([ends - 60 * sequence.timestep_minutes, ends], axis=1)
    write_variable(file, "time_bnds", edges, ("time", "bnds"), {})
    set_attributes(file["time"], {"bounds": "time_bnds"})


def write_dimensions(file: h5py.File, grid: Grid, valid_times: Sequence[datetime]) -> None:
    """The dimension scales time, y and x of a CF file."""
    times = [int(time.timestamp()) for time in valid_times]
    centre = {"units": "m", "long_name": "pixel centre"}
    for axis, values in (("y", grid.y_metres), ("x", grid.x_metres)):
        # Also for an unknown projection: an axis Y without a standard_name is read as a latitude.
        named = {"standard_name": f"projection_{axis}_coordinate", "axis": axis.upper()}
        write_variable(file, axis, values, (), {**centre, **named})
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
    """Write projection, latitudes and longitudes if the grid has a place; returns the names of the coordinates."""
    if grid.projection is None:
        return []
    write_variable(file, "crs", np.int32(0), (), mapping_attributes(grid.projection))
    for name, chunk in zip(("lat", "lon"), _lat_lon(grid), strict=True):
        kind, direction = ("latitude", "north") if name == "lat" else ("longitude", "east")
        degrees = file.create_dataset(name, grid.shape, "<f4", chunks=grid.shape, **_FILTERS)
        degrees.id.write_direct_chunk((0, 0), chunk)
        _describe(file, degrees, ("y", "x"), {"standard_name": kind, "units": f"degrees_{direction}"})
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
    """Write one variable with the scales of its dimensions."""
    _describe(file, file.create_dataset(name, data=values), dimensions, attributes)


def _describe(
    file: h5py.File, dataset: h5py.Dataset, dimensions: tuple[str, ...], attributes: Mapping[str, Attribute]
) -> None:
    set_attributes(dataset, attributes)
    for index, dimension in enumerate(dimensions):
        dataset.dims[index].attach_scale(file[dimension])


def set_attributes(target: h5py.HLObject, attributes: Mapping[str, Attribute]) -> None:
    """Set attributes in the form that every NetCDF library reads; empty texts are left out."""
    for key, value in attributes.items():
        if value == "":  # HDF5 has no empty fixed-length strings
            continue
        # ASCII of fixed length is NetCDF's char, which every reader knows; str would become its newer string type.
        plain = isinstance(value, str) and value.isascii()
        target.attrs[key] = np.bytes_(str(value).encode()) if plain else value


@lru_cache(maxsize=4)
def _lat_lon(grid: Grid) -> tuple[bytes, bytes]:
    """Latitudes and longitudes as chunks of float32, which is exact to half a metre."""
    lat, lon = grid.lat_lon()
    return deflated(lat.astype("<f4")), deflated(lon.astype("<f4"))


@lru_cache(maxsize=8)
def mapping_attributes(projection: str) -> dict[str, Attribute]:
    """A projection as attributes of a CF grid mapping."""
    from pyproj import CRS

    attributes = dict(CRS.from_user_input(projection).to_cf())
    attributes["spatial_ref"] = attributes["crs_wkt"]  # GDAL's own name for it
    if attributes.get("grid_mapping_name") == "polar_stereographic":
        # CF requires the pole, which pyproj leaves out; all known grids are northern.
        attributes.setdefault("latitude_of_projection_origin", 90.0)
    return attributes
