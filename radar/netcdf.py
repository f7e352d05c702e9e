"""Rain as CF NetCDF: whole events read from a file, forecasts written for callers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import numpy.typing as npt

from radar.errors import InvalidRain, RaincellError, UnreadableFile
from radar.frame import file_label
from radar.grid import Grid, recognise
from radar.sequence import Float32, FrameSequence

if TYPE_CHECKING:
    import xarray as xr

Attribute = str | int | float | npt.NDArray[np.float32]

_EPOCH = {"units": "seconds since 1970-01-01 00:00:00", "calendar": "standard"}
_UNITS = frozenset({"mm h-1", "mm/h", "mm h^-1", "mm hr-1", "mm/hr", "kg m-2 h-1"})


def is_netcdf(beginning: bytes) -> bool:
    """Whether the first bytes may be those of a NetCDF file: version 3, or HDF5."""
    return beginning.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF"))


def read_netcdf(path: str | Path) -> FrameSequence:
    """Read a whole sequence of rain from one CF NetCDF file.

    The file has one variable of rain rate in mm h-1 with dimensions time, y and x; x and y are pixel centres in
    metres. Rows are turned north up by the y coordinate; `_FillValue` and what is below valid_min become NaN. The
    file is trusted to be what an operator put there: uploads of NetCDF are not read.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    UnreadableFile
        No such variable, other units, unevenly spaced pixels, or a damaged file.
    IncompleteHistory
        Times that are not evenly spaced.
    """
    # xarray takes most of a second to import; a service that reads uploads never needs it.
    import xarray as xr

    name = file_label(Path(path).name)
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as dataset:
            return _sequence(dataset, name)
    except InvalidRain as error:
        raise _unreadable(name, error.expected, error.got) from None
    except RaincellError:
        raise
    except Exception as error:  # the engine raises many types on damaged files
        raise _unreadable(name, "a CF NetCDF file", f"one that does not open ({type(error).__name__})") from None


def _sequence(dataset: xr.Dataset, name: str) -> FrameSequence:
    rain = _rain_variable(dataset, name)
    grid, north_up = _grid(dataset, rain, name)
    times = tuple(_utc(time) for time in rain["time"].values)
    return FrameSequence(
        rain_rate=_frames(rain, north_up),
        valid_times=times,
        grid=grid,
        timestep_minutes=_timestep_minutes(dataset, times, name),
        product=str(dataset.attrs.get("product", "")),
        reference_time=_utc(dataset["forecast_reference_time"].values)
        if "forecast_reference_time" in dataset
        else None,
    )


def _rain_variable(dataset: xr.Dataset, name: str) -> xr.DataArray:
    found = [v for key, v in dataset.data_vars.items() if "rainfall_rate" in (key, v.attrs.get("standard_name"))]
    if len(found) != 1 or found[0].dims != ("time", "y", "x"):
        raise _unreadable(name, "one variable rainfall_rate(time, y, x)", ", ".join(map(str, dataset.data_vars)))
    if found[0].attrs.get("units") not in _UNITS:
        raise _unreadable(name, "rain in mm h-1", f"units {found[0].attrs.get('units', 'missing')!r}")
    return found[0]


def _frames(rain: xr.DataArray, north_up: bool) -> Float32:
    """All frames, decoded one by one: as float64 a long event would take twice the memory at once."""
    lowest = _lowest_valid(rain)
    frames = np.empty(rain.shape, np.float32)
    for index in range(len(frames)):
        frame = rain[index].values
        frames[index] = frame if north_up else frame[::-1]
    frames[frames < lowest] = np.nan
    return frames


def _lowest_valid(rain: xr.DataArray) -> float:
    """The attribute valid_min, which CF gives in packed units; what lies below is missing."""
    packed = float(rain.attrs.get("valid_min", -np.inf))
    return packed * float(rain.encoding.get("scale_factor", 1)) + float(rain.encoding.get("add_offset", 0))


def _grid(dataset: xr.Dataset, rain: xr.DataArray, name: str) -> tuple[Grid, bool]:
    """The grid, and whether row 0 of the file is north."""
    x, y = (dataset[axis].values.astype(np.float64) for axis in ("x", "y"))
    north_up = len(y) < 2 or bool(y[0] > y[-1])
    step = _even_step(x, name)
    if abs(_even_step(y if not north_up else y[::-1], name) - step) > 0.001 * step:
        raise _unreadable(name, "square pixels", f"{step:g} m wide and of another height")
    north_west = (float(x[0]), float(y[0] if north_up else y[-1]))
    shape, pixel_size_km = (len(y), len(x)), step / 1000
    projection = _projection(dataset, rain)
    if projection is None:
        return Grid("unreferenced", shape, pixel_size_km, None, north_west), north_up
    return recognise(Grid(f"{shape[0]}x{shape[1]}", shape, pixel_size_km, projection, north_west)), north_up


def _even_step(centres: np.ndarray, name: str) -> float:
    steps = np.diff(centres)
    if len(steps) == 0:
        raise _unreadable(name, "at least 2x2 pixels", "fewer")
    mean = float(steps.mean())
    if mean <= 0 or np.abs(steps - mean).max() > 0.001 * mean:
        raise _unreadable(name, "evenly spaced pixels, x growing", f"steps of {steps.min():g} to {steps.max():g} m")
    return round(mean, 6)


def _projection(dataset: xr.Dataset, rain: xr.DataArray) -> str | None:
    mapping = rain.attrs.get("grid_mapping", rain.encoding.get("grid_mapping", ""))
    if mapping not in dataset.variables:
        return None
    attributes = dataset[mapping].attrs
    if "crs_wkt" in attributes:
        return str(attributes["crs_wkt"])
    from pyproj import CRS

    return str(CRS.from_cf(attributes).to_wkt())


def _timestep_minutes(dataset: xr.Dataset, times: tuple[datetime, ...], name: str) -> int:
    seconds = (times[1] - times[0]).total_seconds() if len(times) > 1 else float(dataset.attrs.get("time_step_s", 300))
    if seconds % 60 or seconds < 60:
        raise _unreadable(name, "frames whole minutes apart, oldest first", f"{seconds:g} s")
    return int(seconds // 60)


def to_netcdf(sequence: FrameSequence, *, attributes: Mapping[str, str] | None = None) -> bytes:
    """A sequence as a CF-1.9 NetCDF-4 file in memory, uncompressed.

    It holds rainfall_rate(time, y, x), float32 in mm h-1 with NaN for no data, on the grid's x and y, with
    two-dimensional lat and lon and the projection in `crs`; a grid of unknown place has x and y only. Forecasts
    have forecast_reference_time and lead_time besides.

    Parameters
    ----------
    sequence : FrameSequence
    attributes : mapping of str to str
        Global attributes to add, e.g. the model's name.

    Returns
    -------
    bytes
        NetCDF-4 is HDF5 with dimension scales; written as that, a frame's bytes are copied half as often.
    """
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        _write_dimensions(file, sequence)
        coordinates = _write_place(file, sequence.grid) + _write_lead_times(file, sequence)
        rain: dict[str, Attribute] = {"_FillValue": np.array([np.nan], np.float32), "units": "mm h-1"}
        if coordinates:
            rain["coordinates"] = " ".join(coordinates)
        if "crs" in file:
            rain["grid_mapping"] = "crs"
        described = {"standard_name": "rainfall_rate", "long_name": "rainfall rate"}
        _write(file, "rainfall_rate", sequence.rain_rate, ("time", "y", "x"), {**described, **rain})
        _set(file, {"Conventions": "CF-1.9", "product": sequence.product, **(attributes or {})})
        _set(file, {"time_step_s": 60 * sequence.timestep_minutes, "row_order": "row 0 is north (y descends)"})
    return stream.getvalue()


def _write_dimensions(file: h5py.File, sequence: FrameSequence) -> None:
    times = [int(time.timestamp()) for time in sequence.valid_times]
    centre, projected = {"units": "m", "long_name": "pixel centre"}, sequence.grid.projection is not None
    for axis, values in (("y", sequence.grid.y_metres), ("x", sequence.grid.x_metres)):
        named = {"standard_name": f"projection_{axis}_coordinate"} if projected else {}
        _write(file, axis, values, (), {**centre, **named, "axis": axis.upper()})
    _write(
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
    _write(file, "crs", np.int32(0), (), _mapping_attributes(grid.projection))
    for name, values in zip(("lat", "lon"), _lat_lon(grid), strict=True):
        kind, direction = ("latitude", "north") if name == "lat" else ("longitude", "east")
        _write(file, name, values, ("y", "x"), {"standard_name": kind, "units": f"degrees_{direction}"})
    return ["lat", "lon"]


def _write_lead_times(file: h5py.File, sequence: FrameSequence) -> list[str]:
    if sequence.reference_time is None:
        return []
    reference = np.int64(sequence.reference_time.timestamp())
    named = {"standard_name": "forecast_reference_time"}
    _write(file, "forecast_reference_time", reference, (), {**_EPOCH, **named})
    leads = np.array(sequence.lead_minutes, np.int32)
    _write(file, "lead_time", leads, ("time",), {"standard_name": "forecast_period", "units": "minutes"})
    return ["forecast_reference_time", "lead_time"]


def _write(
    file: h5py.File, name: str, values: npt.ArrayLike, dimensions: tuple[str, ...], attributes: Mapping[str, Attribute]
) -> None:
    dataset = file.create_dataset(name, data=values)
    _set(dataset, attributes)
    for index, dimension in enumerate(dimensions):
        dataset.dims[index].attach_scale(file[dimension])


def _set(target: h5py.HLObject, attributes: Mapping[str, Attribute]) -> None:
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
def _mapping_attributes(projection: str) -> dict[str, Attribute]:
    from pyproj import CRS

    return dict(CRS.from_user_input(projection).to_cf())


def _utc(time: np.datetime64 | np.ndarray) -> datetime:
    seconds = np.asarray(time).astype("datetime64[s]").astype(np.int64)
    return datetime.fromtimestamp(int(seconds), UTC)


def _unreadable(name: str, expected: str, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"{expected} in {name}",
        got=got[:120],
        remedy="write the file as in docs, or with radar.netcdf.to_netcdf",
    )
