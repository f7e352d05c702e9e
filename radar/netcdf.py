"""Rain as CF NetCDF: whole events read from a file, forecasts written for callers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import xarray as xr

from radar.errors import InvalidRain, RaincellError, UnreadableFile
from radar.frame import file_label
from radar.grid import Grid, recognise
from radar.sequence import Float32, FrameSequence

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


def _utc(time: np.datetime64 | np.ndarray) -> datetime:
    seconds = np.asarray(time).astype("datetime64[s]").astype(np.int64)
    return datetime.fromtimestamp(int(seconds), UTC)


def _unreadable(name: str, expected: str, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"{expected} in {name}",
        got=got[:120],
        remedy="write the file as in docs, or with radar.netcdf.to_netcdf",
    )
