"""Numbers as NetCDF packs them: scale and offset, unsigned integers in signed types, and what marks a missing value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radar.files.netcdf.times import NotRead

Float64 = npt.NDArray[np.float64]
_FILL_FLOAT, _FILL_FLOAT_PRINTED = 9.969209968386869e36, 9.96921e36
_DEFAULT_FILLS: dict[str, int] = {
    "i1": -127,
    "u1": 255,
    "i2": -32767,
    "u2": 65535,
    "i4": -2147483647,
    "u4": 4294967295,
    "i8": -9223372036854775806,
    "u8": 18446744073709551614,
}
"""What the library fills integers with where nothing was written (NC_FILL_BYTE, ...), and no attribute has to say."""


@dataclass(frozen=True, eq=False)
class Packing:
    """How the numbers of one variable become values, and which are missing.

    Parameters
    ----------
    dtype : numpy.dtype
        As the numbers are meant: unsigned where `_Unsigned` says so.
    scale, offset : float
    missing : array (N,) of dtype
        `_FillValue` and `missing_value`, else the library's default fill.
    valid : (float, float)
        Least and greatest valid number, packed.
    valid_values : (float, float)
        The same, of values: NUG allows both.
    """

    dtype: np.dtype[Any]
    scale: float
    offset: float
    missing: npt.NDArray[Any]
    valid: tuple[float, float]
    valid_values: tuple[float, float]

    def unpack(self, packed: npt.NDArray[Any]) -> Float64:
        """Values as float64, NaN where they are missing: a fill, or outside of what is valid."""
        raw = _meant(packed, self.dtype)
        values = raw.astype(np.float64) * self.scale + self.offset
        missing = np.zeros(raw.shape, bool)
        for mark in self.missing:
            missing |= raw == mark
        low, high = self.valid
        lowest, highest = self.valid_values
        missing |= (raw < low) | (raw > high) | (values < lowest) | (values > highest)
        values[missing] = np.nan
        return values


def packing_of(dtype: np.dtype[Any], attributes: Mapping[str, Any]) -> Packing:
    """The packing that a variable's type and attributes say.

    Raises
    ------
    NotRead
        No numbers, or an attribute that holds none.
    """
    if dtype.kind not in "iuf":
        raise NotRead("numbers", f"{dtype.name} values")
    meant = _meant_type(dtype, attributes.get("_Unsigned"))
    marks = [_numbers(attributes, name) for name in ("_FillValue", "missing_value") if name in attributes]
    default = _DEFAULT_FILLS.get(f"{meant.kind}{meant.itemsize}")
    if meant.kind == "f":
        marks.append(np.array([_FILL_FLOAT, _FILL_FLOAT_PRINTED]))
    elif default is not None and "_FillValue" not in attributes:
        marks.append(np.array([default]))
    scale, offset = (float(_numbers(attributes, name, usual)[0]) for name, usual in _USUAL)
    if not (np.isfinite([scale, offset]).all() and scale):
        raise NotRead("a finite scale_factor that is not 0, and a finite add_offset", f"{scale:g} and {offset:g}")
    wraps = meant.kind != dtype.kind
    packed, values = _valid(meant, attributes, wraps)
    return Packing(meant, scale, offset, _marks(marks, meant, wraps), packed, values)


_USUAL = (("scale_factor", 1.0), ("add_offset", 0.0))


def _valid(
    meant: np.dtype[Any], attributes: Mapping[str, Any], wraps: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The limits of packed numbers and those of values.

    CF gives them packed. A limit of floating point for packed integers is one of values (NUG, Appendix A).
    """
    limits = {True: [-np.inf, np.inf], False: [-np.inf, np.inf]}
    for name, ends in (("valid_range", (0, 1)), ("valid_min", (0,)), ("valid_max", (1,))):
        if name not in attributes:
            continue
        said = _numbers(attributes, name)
        if len(said) != len(ends):
            raise NotRead(f"{len(ends)} numbers as {name}", f"{len(said)}")
        is_value = meant.kind != "f" and said.dtype.kind == "f"
        for end, limit in zip(ends, said if is_value else _alike(said, meant, wraps), strict=True):
            tighter = max if end == 0 else min
            limits[is_value][end] = tighter(limits[is_value][end], float(limit))
    return (limits[False][0], limits[False][1]), (limits[True][0], limits[True][1])


def _meant_type(dtype: np.dtype[Any], unsigned: object) -> np.dtype[Any]:
    says = str(unsigned).lower()
    if dtype.kind == "i" and says == "true":
        return np.dtype(f"u{dtype.itemsize}")
    if dtype.kind == "u" and says == "false":
        return np.dtype(f"i{dtype.itemsize}")
    return dtype.newbyteorder("=")


def _meant(packed: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The same bits in the type that is meant, in this machine's byte order."""
    native = packed.astype(packed.dtype.newbyteorder("="), copy=False)
    return native if native.dtype == dtype else native.view(dtype)


def _alike(said: npt.NDArray[Any], meant: np.dtype[Any], wraps: bool) -> npt.NDArray[Any]:
    """Attributes as the numbers are meant: a float32 -999.9 is not the double -999.9.

    Where `_Unsigned` says otherwise than the type (`wraps`), so it is for them: the -1 of a signed byte is 255.
    """
    if meant.kind == "f":
        with np.errstate(over="ignore"):
            return said.astype(meant)
    if wraps and said.dtype.kind in "iu":
        return said.astype(f"i{meant.itemsize}").astype(meant)
    return said


def _marks(said: list[npt.NDArray[Any]], meant: np.dtype[Any], wraps: bool) -> npt.NDArray[Any]:
    """What marks a missing value; what no number of the type can be, marks none."""
    marks = [mark for each in said for mark in _alike(each, meant, wraps).tolist()]
    if meant.kind == "f":
        return np.array(marks, meant)
    info = np.iinfo(meant)
    return np.array([int(m) for m in marks if float(m).is_integer() and info.min <= m <= info.max], meant)


def _numbers(attributes: Mapping[str, Any], name: str, usual: float | None = None) -> npt.NDArray[Any]:
    """An attribute as numbers (N,), also where it is text."""
    said = np.atleast_1d(np.asarray(attributes.get(name, usual)))
    if said.dtype.kind in "iuf":
        return said
    try:
        return np.array([float(part) for part in said.ravel().tolist()])
    except (TypeError, ValueError):
        raise NotRead(f"a number as {name}", repr(attributes.get(name))[:40]) from None
