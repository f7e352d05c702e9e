"""ODIM HDF5 composites: the form in which DWD publishes its German composite, and its nowcast RV, today.

Information model: OPERA, "EUMETNET OPERA weather radar information model for implementation with the HDF5
file format", version 2.3. DWD's files have one composite, /dataset1/data1.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import numpy.typing as npt

from radar.errors import GridMismatch, InvalidRain, UnreadableFile
from radar.frame import Frame, file_label
from radar.grid import Grid, recognise
from radar.hdf5 import LARGEST_FRAME_PIXELS, array, is_hdf5, number, opened, text
from radar.netcdf_reader import netcdf_refused
from radar.sequence import Float32

Quantity = Literal["RATE", "ACRR"]
Bits = Literal[16, 32]

_STEPS: dict[int, float] = {16: 100.0, 32: 1000.0}
"""Of a quantity's unit, by the bits of a pixel; the highest code is no data."""
_PROJ_WORD = re.compile(
    r"\+(proj|lat_[012]|lat_ts|lon_0|lonc|alpha|gamma|k|k_0|x_0|y_0|a|b|R|rf|f|ellps|datum|units|no_defs|type|towgs84)"
    r"(=[\w.,+-]+)?"
)
"""What a projection may be made of: PROJ would also take names of files and whole pipelines."""


def is_odim(data: bytes) -> bool:
    """Whether the bytes are HDF5 with the object group of ODIM; damaged HDF5 counts as ODIM, to be refused there."""
    if not is_hdf5(data):
        return False
    try:
        with h5py.File.in_memory(data) as file:
            return _has_object(file)
    except Exception:
        return True


def is_odim_file(path: Path) -> bool:
    """As `is_odim`, of a file of any size."""
    try:
        with h5py.File(path, "r") as file:
            return _has_object(file)
    except Exception:
        return True


def _has_object(file: h5py.File) -> bool:
    return isinstance(file.get("what", getlink=True), h5py.HardLink)


def read_composite(data: bytes, name: str) -> Frame:
    """As `read_odim`, of bytes that are HDF5; other HDF5 than ODIM is refused as NetCDF, which it nearly always is."""
    if not is_odim(data):
        raise netcdf_refused(file_label(name))
    return read_odim(data, name)


def read_odim(data: bytes, name: str) -> Frame:
    """Read one composite of rain.

    Quantity RATE is mm/h; ACRR is mm in the file's interval. The end of the interval is the valid time; where that
    is later than the file's nominal time, or the product is RV, the frame is a forecast made at the nominal time.
    Gain, offset, `nodata` (NaN) and `undetect` (0 mm/h) are the file's own, of integers and floats of any width.

    Raises
    ------
    UnreadableFile
        No composite, another quantity, a damaged file, or one that reaches outside itself.
    """
    name = file_label(name)
    with opened(data, name) as file:
        what = file["dataset1/what"]
        if text(file["what"], "object") != "COMP":
            raise _unreadable(name, "a composite (COMP)", text(file["what"], "object"))
        start, end = (_time(what, edge) for edge in ("start", "end"))
        grid = _grid(file["where"], name)
        minutes = _interval_minutes(start, end, name)
        product, nominal = _product(what, name), _time(file["what"], "")
        return Frame(
            rain_rate=_rain_rate(file["dataset1/data1"], what, grid.shape, minutes, name),
            valid_time=end,
            grid=grid,
            timestep_minutes=minutes,
            product=product,
            source=name,
            reference_time=nominal if end > nominal or product == "RV" else None,
        )


def _time(what: h5py.Group, edge: str) -> datetime:
    """The time at an edge of the interval, "start" or "end"; or the nominal time, ""."""
    stamp = text(what, f"{edge}date") + text(what, f"{edge}time")
    return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _interval_minutes(start: datetime, end: datetime, name: str) -> int:
    seconds = (end - start).total_seconds()
    if seconds % 60 or not 60 <= seconds <= 1800:
        raise _unreadable(name, "an interval of 1 to 30 whole minutes", f"{seconds / 60:g}")
    return int(seconds // 60)


def _product(what: h5py.Group, name: str) -> str:
    product = text(what, "prodname", "RATE").upper()
    if not re.fullmatch(r"[A-Z0-9_-]{1,16}", product):
        raise _unreadable(name, "a product name of letters and digits", repr(product[:20]))
    return product


def _rain_rate(data: h5py.Group, what: h5py.Group, shape: tuple[int, int], minutes: int, name: str) -> Float32:
    # ODIM lets data1/what override dataset1/what.
    own = data.get("what", what)
    quantity = text(own, "quantity")
    if quantity not in ("RATE", "ACRR"):
        raise _unreadable(name, "quantity RATE or ACRR", quantity)
    raw = array(data, "data", shape, name)
    gain, offset = number(own, "gain"), number(own, "offset")
    factor = 60 / minutes if quantity == "ACRR" else 1.0
    with np.errstate(all="ignore"):
        rate = ((raw * np.float64(gain) + offset) * factor).astype(np.float32)
    rate[raw == number(own, "undetect")] = 0
    rate[raw == number(own, "nodata")] = np.nan
    if np.isinf(rate).any() or (rate < 0).any():
        raise _unreadable(name, "rain rates of 0 mm/h or more", "negative or infinite ones")
    return rate


def _grid(where: h5py.Group, name: str) -> Grid:
    size = [number(where, key) for key in ("ysize", "xsize", "xscale", "yscale")]
    rows, columns = int(size[0]), int(size[1])
    if min(rows, columns) < 1 or rows * columns > LARGEST_FRAME_PIXELS:
        raise _unreadable(name, f"at most {LARGEST_FRAME_PIXELS:,} pixels", f"{rows}x{columns}")
    if not (10 <= size[2] <= 100_000 and abs(size[2] - size[3]) < 0.001 * size[2]):
        raise _unreadable(name, "square pixels of 10 m to 100 km", f"{size[2]:g} x {size[3]:g} m")
    corner = number(where, "UL_lat"), number(where, "UL_lon")
    projection = _safe_projection(text(where, "projdef"), name)
    return _placed(projection, (rows, columns), size[2], corner)


@lru_cache(maxsize=8)
def _placed(projection: str, shape: tuple[int, int], scale: float, corner: tuple[float, float]) -> Grid:
    """The grid whose upper left pixel has its outer corner at a latitude and longitude."""
    # Rows and columns from the projection's own origin are its metres, one pixel each.
    origin = Grid(f"{shape[0]}x{shape[1]}", shape, scale / 1000, projection)
    row, column = origin.to_row_column(*corner)
    x, y = float(column) * scale, -float(row) * scale
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError("the corner lies outside the projection")
    centre = (x + scale / 2, y - scale / 2)
    return recognise(replace(origin, north_west=centre))


def _safe_projection(projdef: str, name: str) -> str:
    words = projdef.split()
    if len(projdef) > 500 or not words or not all(_PROJ_WORD.fullmatch(word) for word in words):
        raise _unreadable(name, "a plain PROJ projection", repr(projdef[:60]))
    return projdef


def write_odim(frame: Frame, *, quantity: Quantity = "RATE", bits: Bits = 16) -> bytes:
    """One frame as an ODIM HDF5 composite, laid out as DWD's: unsigned integers, the highest = no data.

    Parameters
    ----------
    frame : Frame
        mm/h; NaN = no data. A `reference_time` becomes the nominal time.
    quantity : {"RATE", "ACRR"}
        mm/h, as DWD's RY, or mm in the frame's interval, as DWD's RV.
    bits : {16, 32}
        16: rounded to 0.01 of the quantity's unit, up to 655.34; 32: to 0.001.

    Raises
    ------
    GridMismatch
        The grid has no projection, or not one of plain PROJ parameters.
    InvalidRain
        More rain than the bits hold.
    """
    if not all(_PROJ_WORD.fullmatch(word) for word in (frame.grid.projection or "?").split()):
        raise GridMismatch(
            expected="a grid with a PROJ string", got=f"grid {frame.grid.name}", remedy="write NetCDF instead"
        )
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        _set(file, {"Conventions": "ODIM_H5/V2_3"})
        nominal = f"{(frame.reference_time or frame.valid_time).astimezone(UTC):%Y%m%d %H%M%S}".split()
        what = {"object": "COMP", "version": "H5rad 2.3", "date": nominal[0], "time": nominal[1]}
        _set(file.create_group("what"), {**what, "source": "CMT:raincell"})
        _set(file.create_group("where"), _where(frame.grid))
        _set(file.create_group("dataset1/what"), _what(frame))
        per_hour = frame.timestep_minutes / 60 if quantity == "ACRR" else 1.0
        steps, no_data = _STEPS[bits], 2**bits - 1
        scaling: dict[str, str | float] = {"gain": 1 / steps, "offset": 0.0, "nodata": float(no_data), "undetect": 0.0}
        _set(file.create_group("dataset1/data1/what"), {"quantity": quantity, **scaling})
        codes = _codes(frame.rain_rate, steps * per_hour, no_data).astype(f"u{bits // 8}")
        file.create_dataset("dataset1/data1/data", data=codes, chunks=codes.shape, compression="gzip")
    return stream.getvalue()


def _what(frame: Frame) -> dict[str, str | float]:
    end = frame.valid_time.astimezone(UTC)
    times = {"start": end - timedelta(minutes=frame.timestep_minutes), "end": end}
    stamps = {f"{edge}date": f"{time:%Y%m%d}" for edge, time in times.items()}
    stamps |= {f"{edge}time": f"{time:%H%M%S}" for edge, time in times.items()}
    return {"product": "COMP", "prodname": frame.product or "RATE", **stamps}


def _where(grid: Grid) -> dict[str, str | float]:
    """Size, projection, and the outer corners in degrees."""
    rows, columns = grid.shape
    metres = 1000 * grid.pixel_size_km
    where: dict[str, str | float] = {"projdef": grid.projection or "", "xsize": columns, "ysize": rows}
    where |= {"xscale": metres, "yscale": metres}
    for corner, row, column in (("UL", 0, 0), ("UR", 0, columns), ("LL", rows, 0), ("LR", rows, columns)):
        lat, lon = grid.to_lat_lon(row - 0.5, column - 0.5)
        where |= {f"{corner}_lat": float(lat), f"{corner}_lon": float(lon)}
    return where


def _codes(rain_rate: Float32, steps: float, no_data: int) -> npt.NDArray[np.float64]:
    """Whole numbers of `steps` per mm/h, and `no_data` where the rain is NaN."""
    missing = np.isnan(rain_rate)
    value = np.rint(np.where(missing, 0, rain_rate) * np.float64(steps))
    if value.max(initial=0) >= no_data or value.min(initial=0) < 0:
        raise InvalidRain(
            expected=f"rain rates of 0 to {(no_data - 1) / steps:.6g} mm/h",
            got=f"{np.nanmin(rain_rate):g} to {np.nanmax(rain_rate):g} mm/h",
            remedy="write NetCDF instead",
        )
    return np.where(missing, no_data, value)


def _set(target: h5py.HLObject, attributes: Mapping[str, str | float]) -> None:
    for key, value in attributes.items():
        target.attrs[key] = np.bytes_(value.encode()) if isinstance(value, str) else value


def _unreadable(name: str, expected: str, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"{expected} in {name}",
        got=got[:80] or "an empty text",
        remedy="send a composite of rain rates such as DWD's RY",
    )
