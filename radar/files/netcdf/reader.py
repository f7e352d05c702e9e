"""The reader of rain as CF NetCDF: events in mm/h, and RADKLIM's amounts as DWD publishes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from radar.errors import IncompleteHistory, InvalidRain, RaincellError, UnreadableFile
from radar.files.netcdf.grid import Placed, find_grid
from radar.files.netcdf.packing import packing_of
from radar.files.netcdf.times import NotRead, cf_times
from radar.files.netcdf.variable import RainVariable, find_rain
from radar.frame import file_label
from radar.grid import KNOWN_GRIDS, Grid
from radar.products import amount_minutes
from radar.quality import HEAVIEST_MM_PER_HOUR
from radar.sequence import Float32, FrameSequence, iso

if TYPE_CHECKING:
    import xarray as xr

_USUAL_SECONDS = 300.0


def is_netcdf(beginning: bytes) -> bool:
    """Whether the first bytes may be those of a NetCDF file: version 3, or HDF5."""
    return beginning.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF"))


def netcdf_refused(name: str) -> UnreadableFile:
    """The error for NetCDF that comes as bytes: only files on an operator's disk are trusted."""
    return UnreadableFile(
        expected=f"a radar composite in {name}",
        got="NetCDF, which is read from a path only",
        remedy="send RADOLAN or ODIM HDF5 files, or the rain as application/x-npy",
    )


def read_netcdf(
    path: str | Path, *, start: datetime | None = None, end: datetime | None = None, variable: str | None = None
) -> FrameSequence:
    """Read a sequence of rain from one CF NetCDF file.

    docs/reference/radar-files.md lists the accepted files: one variable of rain, a rate or an amount between two times,
    in any order of its dimensions; on x and y in metres or km, or on the latitudes and longitudes of a known grid. Rows
    are turned north up, and missing values become NaN. Times are ends of intervals: the upper bounds where the file has
    bounds, else its times as they are. The file is trusted, since an operator put it there: uploads of NetCDF are not
    read.

    Parameters
    ----------
    path : str or Path
    start, end : datetime or None
        Frames outside `start` to `end` (both included) are not read: a month of RADKLIM does not fit into memory.
    variable : str or None
        The name of the rain variable, needed where there are several.

    Raises
    ------
    UnreadableFile
        The variable does not exist, its units, times or axes are not supported, its values are not rain, or the file is
        damaged.
    IncompleteHistory
        The times are not evenly spaced, or none lies between `start` and `end`.
    """
    with _opened(path) as dataset:
        return _sequence(dataset, start, end, file_label(Path(path).name), variable)


def netcdf_times(path: str | Path, variable: str | None = None) -> tuple[datetime, ...]:
    """The times of all frames in a file, as `read_netcdf` gives them; no pixel is read, and gaps are allowed.

    Raises
    ------
    UnreadableFile
        As `read_netcdf`.
    """
    with _opened(path) as dataset:
        return tuple(end for _, end in _intervals(dataset, find_rain(dataset, variable)))


@contextmanager
def _opened(path: str | Path) -> Iterator[xr.Dataset]:
    """The file without any decoding: xarray does not handle limits, other calendars and coarse times."""
    name = file_label(Path(path).name)
    # xarray takes most of a second to import; the service reads no NetCDF, and its images do not contain xarray.
    try:
        import netCDF4  # noqa: F401  (xarray's engine)
        import xarray as xr
    except ModuleNotFoundError as error:
        raise UnreadableFile(
            expected=f"the packages xarray and netCDF4, to read {name}",
            got=f"an installation without {error.name}",
            remedy="pip install 'raincell[netcdf]'",
        ) from None
    opened = False
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_cf=False) as dataset:
            opened = True
            yield dataset
    except (InvalidRain, NotRead) as error:
        raise _unreadable(name, error.expected, error.got, error.remedy) from None
    except RaincellError:
        raise
    except Exception as error:  # the engine raises many types on damaged files
        got = f"one that {'cannot be read to its end' if opened else 'does not open'} ({type(error).__name__})"
        raise _unreadable(name, "a CF NetCDF file", got, "fetch it again") from None


def _sequence(
    dataset: xr.Dataset, start: datetime | None, end: datetime | None, name: str, variable: str | None
) -> FrameSequence:
    rain = find_rain(dataset, variable)
    placed = find_grid(dataset, rain)
    intervals = _intervals(dataset, rain)
    product = _product(dataset, rain)
    minutes = _timestep_minutes(dataset, intervals, rain.unit.is_amount, product)
    product = product or _radklim_product(placed.grid, minutes, rain.unit.is_amount)
    times = [time for _, time in intervals]
    chosen = [k for k, time in enumerate(times) if (start or time) <= time <= (end or time)]
    if times and not chosen:
        raise IncompleteHistory(
            expected=f"frames of {name} in the time asked for",
            got=f"none; it reaches from {iso(times[0])} to {iso(times[-1])}",
            remedy="ask for another time",
        )
    return FrameSequence(
        rain_rate=_frames(rain, chosen, rain.unit.factor * (60 / minutes if rain.unit.is_amount else 1), placed),
        valid_times=tuple(times[k] for k in chosen),
        grid=placed.grid,
        timestep_minutes=minutes,
        product=product,
        reference_time=_reference_time(dataset),
    )


def _product(dataset: xr.Dataset, rain: RainVariable) -> str:
    """The product named by a global attribute, as in radolan_to_netcdf, or by the variable's name, as in wradlib."""
    declared = str(dataset.attrs.get("product", dataset.attrs.get("producttype", "")))
    return declared or (rain.name if amount_minutes(rain.name) else "")


def _radklim_product(grid: Grid, minutes: int, is_amount: bool) -> str:
    """RADKLIM's product of that interval; its files do not name it."""
    return {5: "YW", 60: "RW"}.get(minutes, "") if is_amount and grid == KNOWN_GRIDS["radklim"] else ""


def _frames(rain: RainVariable, chosen: list[int], factor: float, placed: Placed) -> Float32:
    """The frames in mm/h, unpacked one by one: a whole long event in float64 would take twice the memory."""
    packing = packing_of(rain.values.dtype, rain.values.attrs)
    frames = np.empty((len(chosen), *placed.grid.shape), np.float32)
    for place, index in enumerate(chosen):
        packed = (rain.values[index] if rain.values.ndim == 3 else rain.values).values
        rates = packing.unpack(packed) * factor
        _check_rates(rates)
        frames[place] = rates[:: 1 if placed.north_up else -1, :: 1 if placed.west_first else -1]
    return frames


def _check_rates(rates: npt.NDArray[np.float64]) -> None:
    """Raise NotRead for impossible rates: -999 and the like have a meaning that the file does not declare."""
    wanted = f"rain rates of 0 to {HEAVIEST_MM_PER_HOUR:g} mm/h, NaN where there is no data"
    remedy = "name what marks a missing value in _FillValue, missing_value or valid_range, or correct the units"
    if (rates < 0).any() or np.isinf(rates).any():
        worst = float(np.nanmin(rates)) if (rates < 0).any() else float(np.nanmax(rates))
        raise NotRead(wanted, f"negative or infinite values, e.g. {worst:g}", remedy)
    if (rates > HEAVIEST_MM_PER_HOUR).any():
        raise NotRead(wanted, f"{float(np.nanmax(rates)):g} mm/h", remedy)


def _intervals(dataset: xr.Dataset, rain: RainVariable) -> list[tuple[datetime | None, datetime]]:
    """Beginning (None without bounds) and end of each frame's interval, UTC."""
    times = dataset[rain.time]
    bounds = str(times.attrs.get("bounds", ""))
    if bounds not in dataset.variables:
        return [(None, time) for time in _decoded(times, times.attrs)]
    edges = dataset[bounds]
    # CF lets bounds leave out the attributes that they share with their variable.
    both = [_decoded(edges[..., column], {**times.attrs, **edges.attrs}) for column in (0, 1)]
    return [(min(pair), max(pair)) for pair in zip(*both, strict=True)]


def _decoded(variable: xr.DataArray, attributes: Mapping[str, Any]) -> list[datetime]:
    raw = np.atleast_1d(variable.values)
    packing = packing_of(raw.dtype, attributes)
    coarse = raw.dtype == np.float32 and len(raw) and np.isfinite(raw).all()
    resolution = float(np.spacing(np.abs(raw).max())) * packing.scale if coarse else 0.0
    return cf_times(
        packing.unpack(raw), str(attributes.get("units", "")), str(attributes.get("calendar", "standard")), resolution
    )


def _reference_time(dataset: xr.Dataset) -> datetime | None:
    """When a forecast was made; None for observations."""
    kind = "forecast_reference_time"
    found = [dataset[name] for name, v in dataset.variables.items() if kind in (name, v.attrs.get("standard_name"))]
    if not found:
        return None
    made = set(_decoded(found[0], found[0].attrs))
    if len(made) != 1:
        raise NotRead("a forecast that was made at one time", f"{len(made)} times in {kind}")
    return made.pop()


def _timestep_minutes(
    dataset: xr.Dataset, intervals: list[tuple[datetime | None, datetime]], is_amount: bool, product: str
) -> int:
    """Minutes between two frames: the smallest distance, so that a gap is recognised as a gap."""
    times = sorted(time for _, time in intervals)
    steps = [step for before, after in pairwise(times) if (step := (after - before).total_seconds())]
    widths = {(end - start).total_seconds() for start, end in intervals if start is not None}
    own = amount_minutes(product)
    usual = own * 60.0 if own else _USUAL_SECONDS
    if is_amount and not steps and not widths and "time_step_s" not in dataset.attrs and not own:
        wanted = "amounts of two times or more, or time_step_s"
        raise NotRead(wanted, f"{len(times)} without an interval")
    seconds = min(steps) if steps else float(dataset.attrs.get("time_step_s", min(widths, default=usual)))
    if seconds % 60 or seconds < 60:
        raise NotRead("frames whole minutes apart, oldest first", f"{seconds:g} s")
    if is_amount:
        _check_interval(seconds, widths or ({usual} if own else {seconds}), product)
    return int(seconds // 60)


def _check_interval(seconds: float, intervals: set[float], product: str) -> None:
    """Raise NotRead unless amounts fell in the time between two frames: the rate is computed from that time."""
    if intervals != {seconds}:
        widths = " and ".join(f"{interval / 60:g}" for interval in sorted(intervals))
        got = f"{product or 'amounts'} of {widths} minutes, {seconds / 60:g} minutes apart"
        raise NotRead("amounts of rain between one frame and the next", got)


def _unreadable(name: str, expected: str, got: str, remedy: str = "") -> UnreadableFile:
    return UnreadableFile(
        expected=f"{expected} in {name}",
        got=got[:160],
        remedy=remedy
        or "write the file as in docs/reference/radar-files.md, or with radar.files.netcdf.writer.to_netcdf",
    )
