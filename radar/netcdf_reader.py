"""Rain as CF NetCDF, read: events in mm/h, and RADKLIM's amounts as DWD publishes them. radar/netcdf.py writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from radar.errors import IncompleteHistory, InvalidRain, RaincellError, UnreadableFile
from radar.frame import file_label
from radar.grid import KNOWN_GRIDS, Grid, recognise
from radar.sequence import Float32, FrameSequence, iso

if TYPE_CHECKING:
    import xarray as xr

_RATE_UNITS = frozenset({"mm h-1", "mm/h", "mm h^-1", "mm hr-1", "mm/hr", "kg m-2 h-1"})
_AMOUNT_UNITS = frozenset({"mm", "kg m-2", "kg m^-2", "kg/m2", "kg/m^2"})
_NEAR_DEGREES = 0.01
"""Of latitude: one pixel, whether a file gives pixels' centres or corners."""


def is_netcdf(beginning: bytes) -> bool:
    """Whether the first bytes may be those of a NetCDF file: version 3, or HDF5."""
    return beginning.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF"))


def netcdf_refused(name: str) -> UnreadableFile:
    """The error of NetCDF that came as bytes: only files that an operator put somewhere are trusted so far."""
    return UnreadableFile(
        expected=f"a radar composite in {name}",
        got="NetCDF, which is read from a path only",
        remedy="send RADOLAN or ODIM HDF5 files, or the rain as application/x-npy",
    )


def read_netcdf(path: str | Path, *, start: datetime | None = None, end: datetime | None = None) -> FrameSequence:
    """Read a sequence of rain from one CF NetCDF file.

    The file has one variable with dimensions time, y and x: a rainfall_rate in mm h-1, or a rainfall_amount in mm (kg
    m-2) in the interval between two times, as RADKLIM has. x and y are pixel centres in metres or km; without a
    projection a known grid is recognised by two-dimensional latitudes and longitudes. Rows are turned north up;
    `_FillValue` and what is below valid_min become NaN. Times are ends of intervals: the upper bounds, where the file
    has bounds, else its times as they are. The file is trusted to be what an operator put there: uploads of
    NetCDF are not read.

    Parameters
    ----------
    path : str or Path
    start, end : datetime or None
        Read frames from `start` to `end` only, both included: a month of RADKLIM does not fit into memory.

    Raises
    ------
    UnreadableFile
        No such variable, other units, unevenly spaced pixels, or a damaged file.
    IncompleteHistory
        Times that are not evenly spaced, or none between `start` and `end`.
    """
    with _opened(path) as dataset:
        return _sequence(dataset, start, end, file_label(Path(path).name))


def netcdf_times(path: str | Path) -> tuple[datetime, ...]:
    """The times of all frames in a file, as `read_netcdf` gives them; no pixel is read, and gaps are no error.

    Raises
    ------
    UnreadableFile
        As `read_netcdf`.
    """
    with _opened(path) as dataset:
        return tuple(_valid_times(dataset, _rain_variable(dataset, file_label(Path(path).name))[0]))


@contextmanager
def _opened(path: str | Path) -> Iterator[xr.Dataset]:
    name = file_label(Path(path).name)
    # xarray takes most of a second to import; a service that reads uploads never needs it, and its images have none.
    try:
        import netCDF4  # noqa: F401  (xarray's engine)
        import xarray as xr
    except ModuleNotFoundError as error:
        raise UnreadableFile(
            expected=f"the packages xarray and netCDF4, to read {name}",
            got=f"an installation without {error.name}",
            remedy="pip install 'raincell[netcdf]'",
        ) from None
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_timedelta=False) as dataset:
            yield dataset
    except InvalidRain as error:
        raise _unreadable(name, error.expected, error.got) from None
    except RaincellError:
        raise
    except Exception as error:  # the engine raises many types on damaged files
        raise _unreadable(name, "a CF NetCDF file", f"one that does not open ({type(error).__name__})") from None


def _sequence(dataset: xr.Dataset, start: datetime | None, end: datetime | None, name: str) -> FrameSequence:
    rain, is_amount = _rain_variable(dataset, name)
    grid, north_up = _grid(dataset, rain, name)
    times = _valid_times(dataset, rain)
    minutes = _timestep_minutes(dataset, times, is_amount, name)
    chosen = [k for k, time in enumerate(times) if (start or time) <= time <= (end or time)]
    if times and not chosen:
        raise IncompleteHistory(
            expected=f"frames of {name} in the time asked for",
            got=f"none; it reaches from {iso(times[0])} to {iso(times[-1])}",
            remedy="ask for another time",
        )
    made = dataset["forecast_reference_time"].values if "forecast_reference_time" in dataset else None
    return FrameSequence(
        rain_rate=_frames(rain, chosen, 60 / minutes if is_amount else 1.0, north_up),
        valid_times=tuple(times[k] for k in chosen),
        grid=grid,
        timestep_minutes=minutes,
        product=_product(dataset, is_amount, grid, minutes),
        reference_time=None if made is None else _utc(made),
    )


def _product(dataset: xr.Dataset, is_amount: bool, grid: Grid, minutes: int) -> str:
    """What the file says, or RADKLIM's product of that interval."""
    radklim = {5: "YW", 60: "RW"} if is_amount and grid == KNOWN_GRIDS["radklim"] else {}
    return str(dataset.attrs.get("product", radklim.get(minutes, "")))


def _rain_variable(dataset: xr.Dataset, name: str) -> tuple[xr.DataArray, bool]:
    """The one variable of rain, and whether it is an amount instead of a rate."""
    for kind, units in (("rainfall_rate", _RATE_UNITS), ("rainfall_amount", _AMOUNT_UNITS)):
        found = [v for key, v in dataset.data_vars.items() if kind in (key, v.attrs.get("standard_name"))]
        if not found:
            continue
        if len(found) != 1 or found[0].dims != ("time", "y", "x"):
            break
        if found[0].attrs.get("units") not in units:
            wanted = "rain in mm h-1" if units is _RATE_UNITS else "amounts of rain in mm or kg m-2"
            raise _unreadable(name, wanted, f"units {found[0].attrs.get('units', 'missing')!r}")
        return found[0], kind == "rainfall_amount"
    wanted = "one variable rainfall_rate(time, y, x) or rainfall_amount(time, y, x)"
    raise _unreadable(name, wanted, ", ".join(map(str, dataset.data_vars)) or "none")


def _frames(rain: xr.DataArray, chosen: list[int], factor: float, north_up: bool) -> Float32:
    """The frames in mm/h, decoded one by one: as float64 a long event would take twice the memory at once."""
    lowest = _lowest_valid(rain)
    frames = np.empty((len(chosen), *rain.shape[1:]), np.float32)
    for place, index in enumerate(chosen):
        frame = rain[index].values
        frame = np.where(frame < lowest, np.nan, frame)
        frame = frame if factor == 1 else frame.astype(np.float64) * factor
        frames[place] = frame if north_up else frame[::-1]
    return frames


def _lowest_valid(rain: xr.DataArray) -> float:
    """The attribute valid_min, which CF gives in packed units; what lies below is missing."""
    packed = float(rain.attrs.get("valid_min", -np.inf))
    return packed * float(rain.encoding.get("scale_factor", 1)) + float(rain.encoding.get("add_offset", 0))


def _grid(dataset: xr.Dataset, rain: xr.DataArray, name: str) -> tuple[Grid, bool]:
    """The grid, and whether row 0 of the file is north."""
    projection = _projection(dataset, rain)
    if projection is None and (known := _known_by_places(dataset)) is not None:
        return known
    x, y = (_metres(dataset[axis]) for axis in ("x", "y"))
    north_up = len(y) < 2 or bool(y[0] > y[-1])
    step = _even_step(x, name)
    if abs(_even_step(y if not north_up else y[::-1], name) - step) > 0.001 * step:
        raise _unreadable(name, "square pixels", f"{step:g} m wide and of another height")
    north_west = (float(x[0]), float(y[0] if north_up else y[-1]))
    shape, pixel_size_km = (len(y), len(x)), step / 1000
    if projection is None:
        return Grid("unreferenced", shape, pixel_size_km, None, north_west), north_up
    return recognise(Grid(f"{shape[0]}x{shape[1]}", shape, pixel_size_km, projection, north_west)), north_up


def _metres(axis: xr.DataArray) -> npt.NDArray[np.float64]:
    return axis.values.astype(np.float64) * (1000 if axis.attrs.get("units") == "km" else 1)


def _known_by_places(dataset: xr.Dataset) -> tuple[Grid, bool] | None:
    """The known grid nearest to the file's two-dimensional latitudes and longitudes, and whether row 0 is north."""
    if not all(key in dataset.variables and dataset[key].ndim == 2 for key in ("lat", "lon")):
        return None
    edge = np.ix_([0, -1], [0, -1])
    lat, lon = (dataset[key].values[edge] for key in ("lat", "lon"))
    north_up = bool(lat[0, 0] > lat[1, 0])
    places = np.stack([lat, lon], axis=-1)[:: 1 if north_up else -1].reshape(4, 2)
    candidates = [grid for grid in KNOWN_GRIDS.values() if grid.shape == dataset["lat"].shape]
    # A degree of longitude is half as long as one of latitude at 60 N.
    degrees = [float(np.abs((grid.corners() - places) * (1, 0.5)).max()) for grid in candidates]
    if not candidates or not min(degrees) < _NEAR_DEGREES:
        return None
    # The 900x900 grids of the two earths lie one and a half pixels apart, hence the nearest.
    return candidates[degrees.index(min(degrees))], north_up


def _even_step(centres: npt.NDArray[np.float64], name: str) -> float:
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


def _valid_times(dataset: xr.Dataset, rain: xr.DataArray) -> list[datetime]:
    """The ends of the intervals."""
    bounds = dataset["time"].attrs.get("bounds", dataset["time"].encoding.get("bounds", ""))
    ends = dataset[bounds].values[:, 1] if bounds in dataset.variables else rain["time"].values
    return [_utc(time) for time in ends]


def _timestep_minutes(dataset: xr.Dataset, times: list[datetime], is_amount: bool, name: str) -> int:
    if len(times) < 2 and is_amount and "time_step_s" not in dataset.attrs:
        raise _unreadable(name, "amounts of two times or more, or time_step_s", f"{len(times)} without an interval")
    seconds = (times[1] - times[0]).total_seconds() if len(times) > 1 else float(dataset.attrs.get("time_step_s", 300))
    if seconds % 60 or seconds < 60:
        raise _unreadable(name, "frames whole minutes apart, oldest first", f"{seconds:g} s")
    return int(seconds // 60)


def _utc(time: np.datetime64 | npt.NDArray[np.datetime64]) -> datetime:
    seconds = np.asarray(time).astype("datetime64[s]").astype(np.int64)
    return datetime.fromtimestamp(int(seconds), UTC)


def _unreadable(name: str, expected: str, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"{expected} in {name}",
        got=got[:120],
        remedy="write the file as in docs/formats.md, or with radar.netcdf.to_netcdf",
    )
