"""RADOLAN binary composites of Deutscher Wetterdienst (DWD): a strict, bounded reader, and a writer.

A file is an ASCII header up to byte 0x03, then little-endian uint16 pixels (RX: single bytes), row by row from the
south-west corner. Format: DWD, "RADOLAN/RADVOR: hoch aufgeloeste Niederschlagsanalyse und -vorhersage",
Kompositformat.
"""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from radar.errors import InvalidRain, UnreadableFile
from radar.files.radolan_header import Header, grid_of, parse_header, product_in, unreadable
from radar.frame import Frame, file_label
from radar.grid import KNOWN_GRIDS, Grid
from radar.products import PRODUCTS, READ, Product, is_forecast, refusal
from radar.rain import RainScaling
from radar.sequence import Float32

WRITTEN_PRODUCTS = ("RY", "YW", "RZ", "RV")
"""Products that `write_radolan` writes: mm in 5 minutes."""

_NO_DATA = 0x29C4
_NO_DATA_VALUES = (2490, 2500)
_VALUE_BITS, _NO_DATA_BIT, _NEGATIVE_BIT = 0x0FFF, 0x2000, 0x4000
_NO_ECHO, _HIGHEST_ECHO = 0, 248


def read_radolan(data: bytes, name: str) -> Frame:
    """Read one composite of rain or reflectivity.

    RY, YW, RZ, RV, RW and unknown products whose header declares amounts in 5 minutes: the rate is the correctly
    rounded float32 of value x 10^precision x 60 / interval. This equals the result of wradlib's
    `read_radolan_composite`, times 60 / interval, as float32. (Its xarray engine multiplies in float32 and is one unit
    in the last place off for three pixels in ten; the same rain in ODIM or CF files agrees with ours.) A pixel is NaN
    where the no-data bit is set or its value is 2490 or 2500, and where the negative bit is set on a value other than
    0, since no rain rate is negative. Clutter and secondary bits keep the value.

    RX: dBZ = value / 2 - 32.5, then mm/h by `RainScaling`. 0 is no echo, 0 mm/h; 249 (clutter), 250 (no data) and
    higher values are NaN: the rain behind clutter is unknown.

    Parameters
    ----------
    data : bytes
        The file, decompressed.
    name : str
        The file's name for messages.

    Returns
    -------
    Frame
        It has a `reference_time` if it belongs to a forecast, lead 0 of RV included.

    Raises
    ------
    UnreadableFile
        The content contradicts the header, or the product holds no rain rates.
    """
    name = file_label(name)
    product = product_in(data, name)
    known = PRODUCTS.get(product)
    # The product is recognised before the header is checked: products that are not frames have other headers.
    if known and known.refused:
        raise refusal(known, name, _other_name(known, name))
    try:
        header = parse_header(data, name)
    except UnreadableFile as error:
        if known:
            raise
        raise UnreadableFile(
            expected=error.expected, got=f"product {product}, which is not known, and {error.got}", remedy=error.remedy
        ) from None
    reflectivity = known is not None and known.reflectivity
    grid = grid_of(header, 1 if reflectivity else 2, name)
    rates = _reflectivity_rates(header, name) if reflectivity else _amount_rates(header, name)
    pixels = np.frombuffer(data, "u1" if reflectivity else "<u2", offset=header.body_offset).reshape(grid.shape)
    lead = timedelta(minutes=header.lead_minutes or 0)
    return Frame(
        rain_rate=np.take(rates, pixels[::-1]),
        valid_time=header.time + lead,
        grid=grid,
        timestep_minutes=header.interval_minutes,
        product=header.product,
        source=name,
        reference_time=header.time if lead or is_forecast(header.product) else None,
    )


def reflectivity_dbz() -> Float32:
    """The reflectivity in dBZ of each of the 256 codes of RX: -32.5 is no echo, NaN clutter or no data."""
    codes = np.arange(256)
    dbz: Float32 = np.where(codes > _HIGHEST_ECHO, np.nan, codes / 2 - 32.5).astype(np.float32)
    return dbz


def _reflectivity_rates(header: Header, name: str) -> Float32:
    """The rain rate in mm/h of each code of RX."""
    if header.interval_minutes != 5:
        raise unreadable(name, "reflectivity of 5 minutes", f"{header.interval_minutes} minutes")
    rates = RainScaling().from_reflectivity(reflectivity_dbz())
    rates[_NO_ECHO] = 0
    return rates


def _amount_rates(header: Header, name: str) -> Float32:
    """The rain rate in mm/h of each pixel code, if the header declares amounts in the product's own interval."""
    precision, minutes = header.precision, header.interval_minutes
    known = PRODUCTS.get(header.product)
    wanted = known.timestep_minutes if known else 5
    # A precision of whole numbers also declares codes of other meanings: only products known to be in mm may have it.
    coarsest = 0 if header.product in (*WRITTEN_PRODUCTS, "RW") else -1
    if minutes == wanted and -3 <= precision <= coarsest:
        return _rates(precision, minutes)
    got = f"10^{precision} mm in {minutes} minutes"
    if header.product not in (*WRITTEN_PRODUCTS, "RW"):
        remedy = f"its header does not declare rain rates (10^{precision} in {minutes} minutes); send RY or YW files"
        raise _refused(header.product, remedy, name)
    raise unreadable(name, f"a precision of {10**coarsest:g} to 0.001 mm in {wanted} minutes", got)


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
    """One frame as an uncompressed RADOLAN binary of format version 3, or 5 on WGS84 grids.

    Rates are rounded to 0.01 mm in 5 minutes (0.12 mm/h); NaN becomes 0x29C4. The values 2490 and 2500, which mark no
    data for readers, become 2491 and 2501: 0.12 mm/h too much at 300 mm/h, but not missing. A frame of a forecast has
    product RV; its header holds the reference time and the lead time.

    Raises
    ------
    InvalidRain
        Rain exceeds the 491.4 mm/h that 12 bits hold, or the frame is not of such a product on one of DWD's grids.
    """
    grid = frame.grid
    fits = frame.product in WRITTEN_PRODUCTS and (frame.product == "RV") == (frame.reference_time is not None)
    if not fits or frame.timestep_minutes != 5 or grid not in KNOWN_GRIDS.values():
        kind = "an observation" if frame.reference_time is None else "a forecast"
        raise InvalidRain(
            expected="an observed RY, YW or RZ, or a forecast RV, of 5 minutes on one of DWD's grids",
            got=f"{kind}, {frame.product or 'no product'}, {frame.timestep_minutes} minutes, grid {grid.name}",
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
    """The header, with fields as wide as in DWD's files of that version."""
    rows, columns = frame.grid.shape
    version, width = (3, 7) if _is_sphere(frame.grid) else (5, 10)
    made = (frame.reference_time or frame.valid_time).astimezone(UTC)
    minutes = round((frame.valid_time - made).total_seconds() / 60)
    if not 0 <= minutes <= 999:
        raise InvalidRain(
            expected="a lead time of 0 to 999 minutes", got=f"{minutes}", remedy="write NetCDF or ODIM HDF5 instead"
        )
    lead = f"VV {minutes:03d}" if frame.reference_time else ""
    before = f"{frame.product}{made:%d%H%M}10000{made:%m%y}BY"
    after = f"VS {version}SW    0.1.0PR E-02INT   5GP{rows:4d}x{columns:4d}{lead}MS 11<raincell> \x03"
    total = len(before) + width + len(after) + 2 * rows * columns
    return f"{before}{total:{width}d}{after}".encode("ascii")


def _is_sphere(grid: Grid) -> bool:
    return "6370040" in (grid.projection or "")


def _other_name(product: Product, name: str) -> str:
    """The product in a file name of DWD's form, if the header names another one; it is used in a message only."""
    found = re.match(r"raa\d\d-([a-z%][a-z0-9])", name.lower())
    return found[1].upper() if found and found[1].upper() != product.code else ""


def _refused(product: str, remedy: str, name: str) -> UnreadableFile:
    return UnreadableFile(expected=f"{READ} in {name}", got=f"product {product}", remedy=remedy)
