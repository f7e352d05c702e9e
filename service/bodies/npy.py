"""Bodies of media type application/x-npy: one array, as numpy.save writes it."""

from __future__ import annotations

import io
import math

import numpy as np

from radar.errors import UnreadableFile
from radar.sequence import Float32
from service.bodies.json_measure import Bytes
from service.bodies.limits import check_shape

_LONGEST_HEADER_BYTES = 64 * 1024
"""The most bytes of a header: the limit of version 1. Version 2 has longer ones only for arrays of many fields."""
_READ_HEADER = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npy(body: Bytes) -> Float32:
    """The array (T, H, W) of a .npy file, float32 in mm/h.

    The header's shape is compared with the size of the body before memory is allocated, and the bytes are only read as
    numbers: pickled objects are refused by their type.

    Raises
    ------
    UnreadableFile
        The body is not a .npy file, or holds other than floating-point numbers, or another number of them than its
        header states.
    InvalidRequest
        The array has another number of dimensions, or too many values.
    """
    stream = io.BytesIO(bytes(body[:_LONGEST_HEADER_BYTES]))
    try:
        version = np.lib.format.read_magic(stream)
        shape, fortran_order, dtype = _READ_HEADER[version](stream)
    except Exception:  # numpy evaluates the header as Python and raises many types of errors on a damaged one
        raise UnreadableFile(
            expected="a .npy file of version 1 or 2", got="another header", remedy="write it with numpy.save"
        ) from None
    if dtype.kind != "f" or dtype.hasobject:
        raise UnreadableFile(
            expected="float32 rain rates in mm/h", got=f"dtype {dtype}"[:60], remedy="convert with .astype('float32')"
        )
    check_shape(shape)
    expected = math.prod(shape) * dtype.itemsize
    got = len(body) - stream.tell()
    if got != expected:
        raise UnreadableFile(
            expected=f"{expected} bytes for shape {shape}", got=str(got), remedy="send the whole file, and nothing else"
        )
    array = np.frombuffer(body, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran_order else "C")
    with np.errstate(over="ignore"):  # too large values become infinite, which is refused as rain
        return np.ascontiguousarray(array, np.float32)
