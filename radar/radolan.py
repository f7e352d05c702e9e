"""RADOLAN binary composites of Deutscher Wetterdienst: a strict, bounded reader, and a writer.

A file is an ASCII header up to byte 0x03, then little-endian uint16 pixels, row by row from the south-west
corner. Format: DWD, "RADOLAN/RADVOR: hoch aufgeloeste Niederschlagsanalyse und -vorhersage", Kompositformat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from radar.errors import InvalidRain, UnreadableFile
from radar.frame import Frame, file_label
from radar.grid import KNOWN_GRIDS, Grid
from radar.sequence import Float32

FRAME_PRODUCTS = ("RY", "YW")
"""Products that are rain rates as frames: mm per 5 minutes."""

_HOURLY = "hourly sums are too coarse to be frames; send RY or YW files"
_REFUSED = {
    "RX": "reflectivity is not supported as frames; send RY files of the same time",
    "RW": _HOURLY,
    "RZ": "RZ is not supported as frames; send RY files of the same time",
    "RQ": _HOURLY,
    "RV": "forecasts are not supported as frames; send the RY files of the time before",
    "RE": "it is the solid fraction of precipitation, not a rain rate; send RY files",
    "SF": _HOURLY,
}

_NO_DATA = 0x29C4
_NO_DATA_VALUES = (2490, 2500)
_VALUE_BITS, _NO_DATA_BIT, _NEGATIVE_BIT = 0x0FFF, 0x2000, 0x4000
_LONGEST_HEADER = 2048
_START = re.compile(rb"([A-Z][A-Z0-9])(\d{2})(\d{2})(\d{2})\d{5}(\d{2})(\d{2})(?=BY)")


@dataclass(frozen=True)
class Header:
    """What a RADOLAN header says; `file_bytes` includes the header, `time` is UTC and ends the interval."""

    product: str
    time: datetime
    file_bytes: int
    version: int
    precision: int
    interval_minutes: int
    shape: tuple[int, int]
    lead_minutes: int
    body_offset: int


def is_radolan(data: bytes) -> bool:
    """Whether the first bytes are those of a RADOLAN header."""
    return _START.match(data) is not None


def read_radolan(data: bytes, name: str) -> Frame:
    """Read one RY or YW composite.

    The rate is the correctly rounded float32 of value x 10^precision x 60 / interval, which is what wradlib's
    `read_radolan_composite` gives, times 12, as float32. (Its xarray engine multiplies in float32 and is one
    unit in the last place off for three pixels in ten; the same rain in ODIM or CF files agrees with ours.)

    A pixel is NaN where the no-data bit is set or its value is 2490 or 2500, and where the negative bit is
    set on a value other than 0, since no rain rate is negative. Clutter and secondary bits keep the value.

    Parameters
    ----------
    data : bytes
        The file, decompressed.
    name : str
        Its name for messages.

    Raises
    ------
    UnreadableFile
        Not what the header says, or a product that holds no rain rates.
    """
    name = file_label(name)
    header = parse_header(data, name)
    if header.product not in FRAME_PRODUCTS:
        raise _refused(header.product, name)
    if header.lead_minutes:
        raise _unreadable(name, "an observation", f"a forecast, {header.lead_minutes} minutes ahead")
    grid = _grid_of(header, name)
    raw = np.frombuffer(data, "<u2", offset=header.body_offset).reshape(grid.shape)
    rates = _rates(header.precision, header.interval_minutes)
    return Frame(
        rain_rate=np.take(rates, raw[::-1]),
        valid_time=header.time,
        grid=grid,
        timestep_minutes=header.interval_minutes,
        product=header.product,
        source=name,
    )


def parse_header(data: bytes, name: str) -> Header:
    """Parse and check the header by its tags, whose widths and order vary between versions.

    Raises
    ------
    UnreadableFile
        A tag that is missing, doubled or out of range, or a body of another length than the header says.
    """
    end = data.find(b"\x03", 0, _LONGEST_HEADER)
    start = _START.match(data)
    if start is None or end < 0:
        raise _unreadable(name, "a RADOLAN header", "none")
    product = start[1].decode("ascii")
    # The list of radars after MS is free text; nothing in it is a tag.
    tags = data[start.end() : end].split(b"MS", 1)[0]
    sign, digits = _tag(tags, rb"PR\s*E([+-])(\d\d)", name, "PR")
    rows, columns = _tag(tags, rb"GP\s*(\d{1,4})\s*x\s*(\d{1,4})", name, "GP")
    interval, unit = _tag(tags, rb"INT\s*(\d{1,4})(U\d)?", name, "INT")
    header = Header(
        product=product,
        time=_time(start, name),
        file_bytes=int(_tag(tags, rb"BY\s*(\d{1,10})", name, "BY")[0]),
        version=int(_tag(tags, rb"VS\s*(\d{1,2})", name, "VS")[0]),
        precision=int(sign + digits),
        interval_minutes=int(interval) * (1440 if unit == b"U1" else 1),
        shape=(int(rows), int(columns)),
        lead_minutes=_lead_minutes(tags, name),
        body_offset=end + 1,
    )
    _check_length(header, len(data), name)
    return header


def _tag(tags: bytes, pattern: bytes, name: str, tag: str) -> tuple[bytes, ...]:
    found = list(re.finditer(pattern, tags))
    if len(found) != 1:
        raise _unreadable(name, f"one {tag} field in the header", f"{len(found)}")
    return found[0].groups()


def _lead_minutes(tags: bytes, name: str) -> int:
    return int(_tag(tags, rb"VV\s*(\d{1,3})", name, "VV")[0]) if b"VV" in tags else 0


def _time(start: re.Match[bytes], name: str) -> datetime:
    day, hour, minute, month, year = (int(part) for part in start.groups()[1:])
    try:
        return datetime(2000 + year, month, day, hour, minute, tzinfo=UTC)
    except ValueError:
        raise _unreadable(name, "a time in the header", f"{start[0].decode()!r}") from None


def _check_length(header: Header, length: int, name: str) -> None:
    if header.file_bytes != length:
        raise _unreadable(name, f"the {header.file_bytes:,} bytes that its header states", f"{length:,}")


def _grid_of(header: Header, name: str) -> Grid:
    """The grid by shape and format version: since version 5 DWD's earth is the WGS84 ellipsoid."""
    by_shape = {
        (900, 900): "radolan" if header.version < 5 else "radolan-wgs84",
        (1100, 900): "radklim",
        (1200, 1100): "de1200",
    }
    rows, columns = header.shape
    if header.shape not in by_shape:
        raise _unreadable(name, "900x900, 1100x900 or 1200x1100 pixels", f"{rows}x{columns}")
    body = header.file_bytes - header.body_offset
    if body != 2 * rows * columns:
        raise _unreadable(name, f"{2 * rows * columns:,} bytes for {rows}x{columns} pixels", f"{body:,}")
    if header.interval_minutes != 5 or not -3 <= header.precision <= 0:
        got = f"10^{header.precision} mm in {header.interval_minutes} minutes"
        raise _unreadable(name, "a precision of 1 to 0.001 mm in 5 minutes", got)
    return KNOWN_GRIDS[by_shape[header.shape]]


@lru_cache(maxsize=8)
def _rates(precision: int, interval_minutes: int) -> Float32:
    """The rain rate in mm/h of every one of the 65536 pixel codes."""
    codes = np.arange(65536)
    value = codes & _VALUE_BITS
    # Exact integers divided once, so the float32 is the one nearest to the true decimal.
    rates: Float32 = (value * 60 / (interval_minutes * 10**-precision)).astype(np.float32)
    missing = (codes & _NO_DATA_BIT > 0) | np.isin(value, _NO_DATA_VALUES)
    missing |= (codes & _NEGATIVE_BIT > 0) & (value > 0)
    rates[missing] = np.nan
    rates.flags.writeable = False
    return rates


def write_radolan(frame: Frame) -> bytes:
    """One RY or YW frame as an uncompressed RADOLAN binary of format version 3, or 5 on WGS84 grids.

    Rates are rounded to 0.01 mm in 5 minutes (0.12 mm/h); NaN becomes 0x29C4. The values 2490 and 2500, which
    readers take for no data, become 2491 and 2501: 0.12 mm/h too much at 300 mm/h, but not missing.

    Raises
    ------
    InvalidRain
        Rain above the 491.4 mm/h that 12 bits hold, or a frame that is no RY or YW on one of DWD's grids.
    """
    grid = frame.grid
    if frame.product not in FRAME_PRODUCTS or frame.timestep_minutes != 5 or grid not in KNOWN_GRIDS.values():
        raise InvalidRain(
            expected="an RY or YW frame of 5 minutes on one of DWD's grids",
            got=f"{frame.product or 'no product'}, {frame.timestep_minutes} minutes, grid {grid.name}",
            remedy="write NetCDF or ODIM HDF5 instead",
        )
    return _header_bytes(frame) + _codes(frame.rain_rate)[::-1].tobytes()


def _codes(rain_rate: Float32) -> npt.NDArray[np.uint16]:
    missing = np.isnan(rain_rate)
    value = np.rint(np.where(missing, 0, rain_rate) * (100 / 12.0))
    if value.max(initial=0) > _VALUE_BITS or value.min(initial=0) < 0:
        raise InvalidRain(
            expected="rain rates of 0 to 491.4 mm/h",
            got=f"{np.nanmin(rain_rate):g} to {np.nanmax(rain_rate):g} mm/h",
            remedy="write NetCDF or ODIM HDF5 instead",
        )
    value += np.isin(value, _NO_DATA_VALUES)
    codes: npt.NDArray[np.uint16] = np.where(missing, _NO_DATA, value).astype("<u2")
    return codes


def _header_bytes(frame: Frame) -> bytes:
    """The header, its fields as wide as in DWD's files of that version."""
    rows, columns = frame.grid.shape
    version, width = (3, 7) if "6370040" in (frame.grid.projection or "") else (5, 10)
    before = f"{frame.product}{frame.valid_time.astimezone(UTC):%d%H%M}10000{frame.valid_time.astimezone(UTC):%m%y}BY"
    after = f"VS {version}SW    0.1.0PR E-02INT   5GP{rows:4d}x{columns:4d}MS 11<raincell> \x03"
    total = len(before) + width + len(after) + 2 * rows * columns
    return f"{before}{total:{width}d}{after}".encode("ascii")


def _unreadable(name: str, expected: str, got: str) -> UnreadableFile:
    return UnreadableFile(expected=f"{expected} in {name}", got=got, remedy="send the file as DWD publishes it")


def _refused(product: str, name: str) -> UnreadableFile:
    remedy = _REFUSED.get(product, f"{product} is not supported as frames; send RY or YW files")
    return UnreadableFile(expected=f"RY or YW in {name}", got=f"product {product}", remedy=remedy)
