"""ODIM HDF5 composites: the format in which DWD publishes its German composite and its nowcast RV today.

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
from typing import Any, Literal

import h5py
import numpy as np
import numpy.typing as npt

from radar.errors import GridMismatch, InvalidRain, UnreadableFile
from radar.files.hdf5 import Attributes, array, is_hdf5, opened
from radar.files.limits import LARGEST_FRAME_PIXELS
from radar.files.netcdf.reader import netcdf_refused
from radar.frame import Frame, file_label
from radar.grid import Grid, recognise
from radar.products import PRODUCTS, is_forecast, product_code, refusal
from radar.sequence import Float32

Quantity = Literal["RATE", "ACRR"]
Bits = Literal[16, 32]

_STEPS: dict[int, float] = {16: 100.0, 32: 1000.0}
"""Steps per unit of the quantity, by the bits of a pixel; the highest code marks no data."""
_PROJ_WORD = re.compile(
    r"\+(proj|lat_[012]|lat_ts|lon_0|lonc|alpha|gamma|k|k_0|x_0|y_0|a|b|R|rf|f|ellps|datum|units|no_defs|type|towgs84)"
    r"(=[\w.,+-]+)?"
)
"""The allowed parameters of a projection: PROJ also accepts names of files and whole pipelines."""


def is_odim(data: bytes) -> bool:
    """Whether the bytes are HDF5 with ODIM's object group; damaged HDF5 counts as ODIM, whose reader refuses it."""
    if not is_hdf5(data):
        return False
    try:
        with h5py.File.in_memory(data) as file:
            return _has_object(file)
    except Exception:
        return True


def is_odim_file(path: Path) -> bool:
    """As `is_odim`, for a file of any size."""
    try:
        with h5py.File(path, "r") as file:
            return _has_object(file)
    except Exception:
        return True


def _has_object(file: h5py.File) -> bool:
    return isinstance(file.get("what", getlink=True), h5py.HardLink)


def read_composite(data: bytes, name: str) -> Frame:
    """As `read_odim`, for any HDF5 bytes; HDF5 other than ODIM is refused as NetCDF, which it nearly always is."""
    if not is_odim(data):
        raise netcdf_refused(file_label(name))
    return read_odim(data, name)


def read_odim(data: bytes, name: str) -> Frame:
    """Read one composite of rain.

    Quantity RATE is mm/h; ACRR is mm in the file's interval. The end of the interval is the valid time; where that
    is later than the file's nominal time, the product is RV, or `how/simulated` is true, the frame is a forecast made
    at the nominal time. Gain, offset, `nodata` (NaN) and `undetect` (0 mm/h) come from the file; pixels are integers or
    floats of any width. An attribute that dataset1/data1 lacks is taken from dataset1, or from the file. `prodname`
    begins with the product.

    Raises
    ------
    UnreadableFile
        The file is not a composite, its product or quantity is not a rain rate, an attribute is missing (the error
        names it), or the file is damaged or refers to other files.
    """
    name = file_label(name)
    with opened(data, name) as file:
        what, where = _inherited(file, "what", name), _inherited(file, "where", name)
        product = _product(what, name)
        if what.text("object") != "COMP":
            raise _unreadable(name, "a composite (COMP)", what.text("object"))
        start, end = (_time(what, edge, name) for edge in ("start", "end"))
        minutes = _interval_minutes(start, end, product, name)
        grid = _grid(where, name)
        nominal = _time(Attributes(file, ["what"], name), "", name)
        ahead = end > nominal or is_forecast(product) or _is_simulated(file, name)
        return Frame(
            rain_rate=_rain_rate(file, what, grid.shape, minutes, name),
            valid_time=end,
            grid=grid,
            timestep_minutes=minutes,
            product=product,
            source=name,
            reference_time=nominal if ahead else None,
        )


def _is_simulated(file: h5py.File, name: str) -> bool:
    """Whether the file declares simulated rain: a boolean, which ODIM writes as text."""
    return _inherited(file, "how", name).text("simulated", "False").lower() in ("true", "1", "1.0")


def _inherited(file: h5py.File, kind: str, name: str) -> Attributes:
    """The attributes "what", "where" or "how" of the first quantity, else of its data set, else of the file."""
    return Attributes(file, [f"dataset1/data1/{kind}", f"dataset1/{kind}", kind], name)


def _time(what: Attributes, edge: str, name: str) -> datetime:
    """The time at an edge of the interval, "start" or "end"; "" is the nominal time."""
    stamp = what.text(f"{edge}date") + what.text(f"{edge}time")
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise _unreadable(name, f"{edge}date YYYYMMDD and {edge}time HHMMSS", repr(stamp)) from None


def _interval_minutes(start: datetime, end: datetime, product: str, name: str) -> int:
    seconds = (end - start).total_seconds()
    known = PRODUCTS.get(product)
    longest = 60 * max(30, known.timestep_minutes if known else 0)
    if seconds % 60 or not 60 <= seconds <= longest:
        got = f"{seconds / 60:g} minutes of product {product}"
        raise _unreadable(name, f"an interval of 1 to {longest // 60} whole minutes", got)
    return int(seconds // 60)


def _product(what: Attributes, name: str) -> str:
    """The product; raises UnreadableFile if it holds no rain rates."""
    product = product_code(what.text("prodname", "RATE"))
    known = PRODUCTS.get(product)
    if known and known.refused:
        raise refusal(known, name)
    if not re.fullmatch(r"[A-Z0-9_-]{1,16}", product):
        raise _unreadable(name, "a product name of letters and digits", repr(product[:20]))
    return product


def _rain_rate(file: h5py.File, what: Attributes, shape: tuple[int, int], minutes: int, name: str) -> Float32:
    quantity = what.text("quantity")
    if quantity not in ("RATE", "ACRR"):
        raise _unreadable(name, "quantity RATE or ACRR", quantity)
    # Float pixels may be missing as NaN or as infinity.
    gain, offset = what.number("gain"), what.number("offset")
    no_data, undetect = (what.number(key, finite=False) for key in ("nodata", "undetect"))
    data = file.get("dataset1/data1")
    if not isinstance(data, h5py.Group):
        raise _unreadable(name, "a group dataset1/data1", "none")
    raw = array(data, "data", shape, name)
    factor = 60 / minutes if quantity == "ACRR" else 1.0
    with np.errstate(all="ignore"):
        rate = ((raw * np.float64(gain) + offset) * factor).astype(np.float32)
    rate[_equal(raw, undetect)] = 0
    rate[_equal(raw, no_data)] = np.nan
    if np.isinf(rate).any() or (rate < 0).any():
        raise _unreadable(name, "rain rates of 0 mm/h or more", "negative or infinite ones")
    return rate


def _equal(raw: npt.NDArray[Any], value: float) -> npt.NDArray[np.bool_]:
    """Where pixels equal a value of the file's attributes; NaN equals NaN."""
    return np.isnan(raw) if math.isnan(value) else np.asarray(raw == value)


def _grid(where: Attributes, name: str) -> Grid:
    size = [where.number(key) for key in ("ysize", "xsize", "xscale", "yscale")]
    rows, columns = int(size[0]), int(size[1])
    if min(rows, columns) < 1 or rows * columns > LARGEST_FRAME_PIXELS:
        raise _unreadable(name, f"at most {LARGEST_FRAME_PIXELS:,} pixels", f"{rows}x{columns}")
    if not (10 <= size[2] <= 100_000 and abs(size[2] - size[3]) < 0.001 * size[2]):
        raise _unreadable(name, "square pixels of 10 m to 100 km", f"{size[2]:g} x {size[3]:g} m")
    projection = _safe_projection(where.text("projdef"), name)
    corner = where.number("UL_lat"), where.number("UL_lon")
    try:
        return _placed(projection, (rows, columns), size[2], corner)
    except (ValueError, RuntimeError):  # pyproj's errors are RuntimeErrors
        got = f"{corner[0]:g} N {corner[1]:g} E in {projection[:40]}"
        raise _unreadable(name, "an upper left corner within the projection", got) from None


@lru_cache(maxsize=8)
def _placed(projection: str, shape: tuple[int, int], scale: float, corner: tuple[float, float]) -> Grid:
    """The grid whose upper left pixel has its outer corner at a latitude and longitude."""
    # On a grid whose pixel (0, 0) is the projection's origin, x is column * scale, and y is -row * scale.
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
        The grid has no projection, or its projection has more than plain PROJ parameters.
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
    """Rates as whole numbers, `steps` of them to 1 mm/h; `no_data` where the rain is NaN."""
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
        got=got[:120] or "an empty text",
        remedy="send a composite of rain rates such as DWD's RY",
    )
