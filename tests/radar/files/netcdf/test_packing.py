from __future__ import annotations

from typing import Any

import netCDF4
import numpy as np
import pytest

from radar.files.netcdf.packing import packing_of
from radar.files.netcdf.times import NotRead


def unpack(values: Any, dtype: str, **attributes: Any) -> list[float]:
    raw = np.array(values, dtype)
    return list(map(float, packing_of(raw.dtype, attributes).unpack(raw)))


NAN = np.nan


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", ">i2", ">f4"])
def test_what_the_library_fills_in_is_missing(dtype: str) -> None:
    fill = netCDF4.default_fillvals[dtype.lstrip(">")]
    assert unpack([fill, 7], dtype) == pytest.approx([NAN, 7], nan_ok=True)


def test_values_that_look_like_a_default_fill_are_values_where_the_fill_is_another() -> None:
    assert unpack([65535, 1], "u2", _FillValue=np.uint16(1)) == pytest.approx([65535, NAN], nan_ok=True)


@pytest.mark.parametrize(
    ("values", "dtype", "attributes", "expected"),
    [
        ([-1, 150], "i2", {"_FillValue": np.int16(-1), "scale_factor": 0.01}, [NAN, 1.5]),
        ([-1, -2, 150], "i2", {"_FillValue": np.int16(-1), "missing_value": np.int16(-2)}, [NAN, NAN, 150]),
        ([1, 2, 3, 9], "i2", {"missing_value": np.array([1, 2, 3], "i2")}, [NAN, NAN, NAN, 9]),
        ([-9999.9, 2], "f4", {"missing_value": -9999.9}, [NAN, 2]),
        ([-999, 2], "f4", {"missing_value": "-999"}, [NAN, 2]),
        ([np.nan, 2], "f4", {"_FillValue": "NaN"}, [NAN, 2]),
        ([-1, -2], "i1", {"_Unsigned": "true", "_FillValue": np.int8(-1), "scale_factor": 0.1}, [NAN, 25.4]),
        ([-1, -2], "i1", {"_Unsigned": "true", "missing_value": np.int16(255)}, [NAN, 254]),
        ([-56, -55], "i1", {"_Unsigned": "true", "valid_range": np.array([0, -56], "i1")}, [200, NAN]),
        ([255, 2], "u1", {"_Unsigned": "false", "_FillValue": np.uint8(255)}, [NAN, 2]),
        ([-5, 0, 5], "i2", {"valid_min": np.int16(0), "scale_factor": 0.5}, [NAN, 0, 2.5]),
        ([-5, 0, 5, 9], "f4", {"valid_range": np.array([0, 5], "f4")}, [NAN, 0, 5, NAN]),
        ([0, 5, 9], "i2", {"valid_max": np.int16(5), "scale_factor": 10.0}, [0, 50, NAN]),
        ([0, 5, 9], "i2", {"valid_max": 50.0, "scale_factor": 10.0}, [0, 50, NAN]),  # of values: it is no integer
        ([-5, 0, 9], "i2", {"valid_min": 0, "valid_max": 5, "valid_range": np.array([-9, 9], "i2")}, [NAN, 0, NAN]),
        ([3, 4], "u2", {"scale_factor": np.float32(0.5), "add_offset": np.float32(-1)}, [0.5, 1]),
    ],
)
def test_what_files_say_is_missing_is_missing(
    values: list[float], dtype: str, attributes: dict[str, Any], expected: list[float]
) -> None:
    assert unpack(values, dtype, **attributes) == pytest.approx(expected, nan_ok=True)


def test_infinite_values_stay_infinite_to_be_refused() -> None:
    assert unpack([np.inf], "f4") == [np.inf]


@pytest.mark.parametrize(
    ("dtype", "attributes", "expected"),
    [
        ("S1", {}, "expected numbers"),
        ("i2", {"missing_value": "none"}, "a number as missing_value, got 'none'"),
        ("i2", {"valid_range": np.array([1], "i2")}, "2 numbers as valid_range, got 1"),
        ("i2", {"scale_factor": 0.0}, "scale_factor that is not 0"),
        ("i2", {"add_offset": np.nan}, "a finite add_offset"),
    ],
)
def test_attributes_that_are_no_numbers_are_refused(dtype: str, attributes: dict[str, Any], expected: str) -> None:
    with pytest.raises(NotRead, match=expected):
        packing_of(np.dtype(dtype), attributes)
