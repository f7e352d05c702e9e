"""Numbers as NetCDF packs them: scale and offset, unsigned integers in signed types, and marks of missing values."""

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
"""The library's fill values of integers that were never written (NC_FILL_BYTE, ...); no attribute declares them."""


@dataclass(frozen=True, eq=False)
class Packing:
    """How the numbers of one variable become values, and which are missing.

    Parameters
    ----------
    dtype : numpy.dtype
        The declared type of the numbers: unsigned where `_Unsigned` is true.
    scale, offset : float
    missing : array (N,) of dtype
        `_FillValue` and `missing_value`, else the library's default fill.
    valid : (float, float)
        Least and greatest valid packed number.
    valid_values : (float, float)
        Least and greatest valid value: NUG allows limits of either kind.
    """

    dtype: np.dtype[Any]
    scale: float
    offset: float
    missing: npt.NDArray[Any]
    valid: tuple[float, float]
    valid_values: tuple[float, float]

    def unpack(self, packed: npt.NDArray[Any]) -> Float64:
        """Values as float64; NaN where the number is a fill value or outside the valid range."""
        raw = _as_declared(packed, self.dtype)
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
    """The packing that a variable's type and attributes declare.

    Raises
    ------
    NotRead
        The variable or one of the attributes holds no numbers.
    """
    if dtype.kind not in "iuf":
        raise NotRead("numbers", f"{dtype.name} values")
    declared = _declared_type(dtype, attributes.get("_Unsigned"))
    marks = [_numbers(attributes, name) for name in ("_FillValue", "missing_value") if name in attributes]
    default = _DEFAULT_FILLS.get(f"{declared.kind}{declared.itemsize}")
    if declared.kind == "f":
        marks.append(np.array([_FILL_FLOAT, _FILL_FLOAT_PRINTED]))
    elif default is not None and "_FillValue" not in attributes:
        marks.append(np.array([default]))
    scale, offset = (float(_numbers(attributes, name, usual)[0]) for name, usual in _USUAL)
    if not (np.isfinite([scale, offset]).all() and scale):
        raise NotRead("a finite scale_factor that is not 0, and a finite add_offset", f"{scale:g} and {offset:g}")
    wraps = declared.kind != dtype.kind
    packed, values = _valid(declared, attributes, wraps)
    return Packing(declared, scale, offset, _marks(marks, declared, wraps), packed, values)


_USUAL = (("scale_factor", 1.0), ("add_offset", 0.0))


def _valid(
    declared: np.dtype[Any], attributes: Mapping[str, Any], wraps: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The limits of packed numbers and those of values.

    CF declares packed limits. A floating-point limit of packed integers applies to values (NUG, Appendix A).
    """
    limits = {True: [-np.inf, np.inf], False: [-np.inf, np.inf]}
    for name, ends in (("valid_range", (0, 1)), ("valid_min", (0,)), ("valid_max", (1,))):
        if name not in attributes:
            continue
        limits_given = _numbers(attributes, name)
        if len(limits_given) != len(ends):
            raise NotRead(f"{len(ends)} numbers as {name}", f"{len(limits_given)}")
        is_value = declared.kind != "f" and limits_given.dtype.kind == "f"
        for end, limit in zip(ends, limits_given if is_value else _alike(limits_given, declared, wraps), strict=True):
            tighter = max if end == 0 else min
            limits[is_value][end] = tighter(limits[is_value][end], float(limit))
    return (limits[False][0], limits[False][1]), (limits[True][0], limits[True][1])


def _declared_type(dtype: np.dtype[Any], unsigned: object) -> np.dtype[Any]:
    flag = str(unsigned).lower()
    if dtype.kind == "i" and flag == "true":
        return np.dtype(f"u{dtype.itemsize}")
    if dtype.kind == "u" and flag == "false":
        return np.dtype(f"i{dtype.itemsize}")
    return dtype.newbyteorder("=")


def _as_declared(packed: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The same bits in the declared type, in this machine's byte order."""
    native = packed.astype(packed.dtype.newbyteorder("="), copy=False)
    return native if native.dtype == dtype else native.view(dtype)


def _alike(numbers: npt.NDArray[Any], declared: np.dtype[Any], wraps: bool) -> npt.NDArray[Any]:
    """Attributes in the declared type of the numbers: a float32 -999.9 is not the double -999.9.

    Where `_Unsigned` contradicts the stored type (`wraps`), it holds for attributes too: -1 of a signed byte is 255.
    """
    if declared.kind == "f":
        with np.errstate(over="ignore"):
            return numbers.astype(declared)
    if wraps and numbers.dtype.kind in "iu":
        return numbers.astype(f"i{declared.itemsize}").astype(declared)
    return numbers


def _marks(numbers: list[npt.NDArray[Any]], declared: np.dtype[Any], wraps: bool) -> npt.NDArray[Any]:
    """The numbers that mark a missing value; numbers outside the type's range are dropped."""
    marks = [mark for each in numbers for mark in _alike(each, declared, wraps).tolist()]
    if declared.kind == "f":
        return np.array(marks, declared)
    info = np.iinfo(declared)
    return np.array([int(m) for m in marks if float(m).is_integer() and info.min <= m <= info.max], declared)


def _numbers(attributes: Mapping[str, Any], name: str, usual: float | None = None) -> npt.NDArray[Any]:
    """An attribute as numbers (N,), also where it is text."""
    numbers = np.atleast_1d(np.asarray(attributes.get(name, usual)))
    if numbers.dtype.kind in "iuf":
        return numbers
    try:
        return np.array([float(part) for part in numbers.ravel().tolist()])
    except (TypeError, ValueError):
        raise NotRead(f"a number as {name}", repr(attributes.get(name))[:40]) from None
