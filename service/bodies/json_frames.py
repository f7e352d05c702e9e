"""Frames in JSON, read piece by piece.

Parsing them in one call would block all Python threads, and so every other request, for a quarter of a second.
"""

from __future__ import annotations

import base64
import binascii
import json
from array import array
from collections.abc import Iterable, Iterator
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field, TypeAdapter, ValidationError

from radar.errors import InvalidRain, InvalidRequest, UnreadableFile
from radar.sequence import Float32
from service.bodies.json_measure import STEP_BYTES, Bytes
from service.bodies.limits import check_shape
from service.http.problems import first_fault

MOST_ROWS = 100_000
"""Rows of all frames in lists together."""
_PIECE_BYTES = 64 * 1024
_MOST_PADDING_BYTES = 1024 * 1024
"""White space within one piece, or around all rows."""
Bytes8 = npt.NDArray[np.uint8]
Value = Annotated[float, Field(strict=True)] | None
_VALUES: TypeAdapter[list[float | None]] = TypeAdapter(Annotated[list[Value], Field(fail_fast=True)])
_ROWS: TypeAdapter[list[list[None]]] = TypeAdapter(
    Annotated[list[Annotated[list[None], Field(fail_fast=True)]], Field(fail_fast=True)],
)


class _Rows(NamedTuple):
    """The beginnings and ends of rows, as arrays of numbers: a garbage collector takes long over so many tuples."""

    starts: array[int]
    stops: array[int]


def read_lists(text: Bytes, start: int, stop: int) -> Float32:
    """Frames (T, H, W) from the nested lists between two positions of a text, null = NaN.

    Raises
    ------
    InvalidRequest
        The text is anything but lists of lists of lists of numbers and null.
    InvalidRain
        The lists have different lengths.
    """
    rows, frames = _rows(text, start, stop)
    width = _width(text, rows)
    height = len(rows.starts) // frames
    check_shape((frames, height, width))
    values = np.empty(frames * height * width, np.float32)
    read = 0
    for piece in _pieces(text, rows):
        part = _read_piece(piece, read, (frames, height, width))
        if read + len(part) > len(values):
            raise _no_lists("more values than commas")
        values[read : read + len(part)] = part
        read += len(part)
    if read != len(values):
        raise _no_lists("a comma without a value")
    return values.reshape(frames, height, width)


def _rows(text: Bytes, start: int, stop: int) -> tuple[_Rows, int]:
    """The positions of the rows, and the number of frames, all of the same height."""
    rows, around, position = _Rows(array("q"), array("q")), bytearray(), start
    while (closing := text.find(b"]", position, stop)) >= 0:
        opening = text.rfind(b"[", position, closing)
        if closing - position > _MOST_PADDING_BYTES + (closing - max(opening, position)):
            raise _no_lists("a megabyte between rows")
        if opening < 0:
            around += text[position : closing + 1]
        else:
            around += text[position:opening] + b"null"
            rows.starts.append(opening + 1)
            rows.stops.append(closing)
        position = closing + 1
        if len(rows.starts) > MOST_ROWS or len(around) > 5 * MOST_ROWS + _MOST_PADDING_BYTES:
            raise _no_lists(f"more than {MOST_ROWS} rows, or a megabyte between them")
    try:
        heights = [len(frame) for frame in _ROWS.validate_json(bytes(around))]
    except ValidationError:
        raise _no_lists("other lists") from None
    if not heights or sum(heights) != len(rows.starts):
        raise _no_lists("other lists")
    if len(set(heights)) != 1:
        raise _ragged()
    return rows, len(heights)


def _width(text: Bytes, rows: _Rows) -> int:
    widths = {_commas(text, start, stop) + 1 for start, stop in zip(*rows, strict=True)}
    if len(widths) != 1:
        raise _ragged()
    return widths.pop()


def _commas(text: Bytes, start: int, stop: int) -> int:
    if stop - start <= STEP_BYTES:
        return text.count(b",", start, stop)
    return sum(text.count(b",", first, min(first + STEP_BYTES, stop)) for first in range(start, stop, STEP_BYTES))


def _pieces(text: Bytes, rows: _Rows) -> Iterator[bytes]:
    """All values, separated by commas, in pieces that are parsed in milliseconds."""
    parts, size = list[bytes](), 0
    for start, stop in zip(*rows, strict=True):
        cut = start
        while stop - cut > _PIECE_BYTES and (comma := text.find(b",", cut + _PIECE_BYTES, stop)) >= 0:
            if parts:
                yield b",".join(parts)
                parts, size = [], 0
            yield _checked(text, cut, comma)
            cut = comma + 1
        parts.append(_checked(text, cut, stop))
        size += stop - cut
        if size > _PIECE_BYTES:
            yield b",".join(parts)
            parts, size = [], 0
    if parts:
        yield b",".join(parts)


def _checked(text: Bytes, start: int, stop: int) -> bytes:
    if stop - start > _MOST_PADDING_BYTES:
        raise _no_lists("a value of a megabyte")
    return bytes(text[start:stop])


def _read_piece(piece: bytes, before: int, shape: tuple[int, int, int]) -> Float32:
    try:
        values = _VALUES.validate_json(b"[" + piece + b"]")
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        if fault["type"] == "json_invalid":  # its position is within the piece, which means nothing to the caller
            raise _no_lists("a row that is not JSON") from None
        index = before + next((part for part in fault["loc"] if isinstance(part, int)), 0)
        where = np.unravel_index(min(index, int(np.prod(shape)) - 1), shape)
        expected, got = first_fault([{**fault, "loc": ("frames", *map(int, where))}])
        raise InvalidRequest(expected=expected, got=got, remedy="see /docs for the form of the body") from None
    with np.errstate(over="ignore"):  # too large values become infinite, which is refused as rain
        return np.array(values, np.float64).astype(np.float32)  # null becomes NaN


def read_base64(pieces: Iterable[bytes], size: int) -> Bytes8:
    """The `size` bytes of base64 in pieces.

    Raises
    ------
    UnreadableFile
        The text is not base64, or has another length.
    """
    # Not a growing bytearray: its memory would be moved and cleared in one long call.
    decoded, at = np.empty(size, np.uint8), 0
    for part in _groups(pieces):
        if at + len(part) > size:
            raise _wrong_length(size, "more")
        decoded[at : at + len(part)] = np.frombuffer(part, np.uint8)
        at += len(part)
    if at != size:
        raise _wrong_length(size, str(at))
    return decoded


def _groups(pieces: Iterable[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in pieces:
        left += piece
        whole = max(0, len(left) - 1) // 4 * 4  # the last group may be padded
        if b"=" in left[:whole]:
            raise _no_base64()
        yield _decoded(left[:whole])
        left = left[whole:]
    yield _decoded(left)


def unescaped(text: Bytes, start: int, stop: int) -> Iterator[bytes]:
    """The content of a JSON string between two quotes, piece by piece; raises UnreadableFile unless it is ASCII."""
    while start < stop:
        end = min(start + STEP_BYTES, stop)
        if end < stop and (escape := text.rfind(b"\\", end - 6, end)) >= 0:
            # No escape is cut in two: an escape has at most six characters, preceded by an even number of backslashes.
            end = escape - 1 if text[escape - 1 : escape] == b"\\" else escape
        piece = bytes(text[start:end])
        start = end
        if b"\\" not in piece:
            yield piece
            continue
        try:
            yield json.loads(b'"' + piece + b'"').encode("ascii")
        except ValueError:
            raise _no_base64() from None


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _no_base64() from None


def _no_base64() -> UnreadableFile:
    return UnreadableFile(expected="base64", got="other characters", remedy="encode the bytes as base64")


def _wrong_length(size: int, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"{size} bytes for the shape", got=got, remedy="send float32, four bytes for each pixel"
    )


def _no_lists(got: str) -> InvalidRequest:
    return InvalidRequest(
        expected="frames as lists of rows of numbers and null", got=got, remedy="send base64, or .npy"
    )


def _ragged() -> InvalidRain:
    return InvalidRain(
        expected="lists of equal lengths: frames of rows of values", got="ragged lists", remedy="send whole frames"
    )
