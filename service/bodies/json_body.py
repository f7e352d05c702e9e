"""Bodies of media type application/json: base64 of float32, or nested lists for small grids."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from radar.errors import InvalidRain, InvalidRequest
from radar.sequence import Float32
from service.bodies.json_frames import MOST_ROWS, Value, read_base64, read_lists, unescaped
from service.bodies.json_measure import Bulk, Bytes, JsonLimits, measure
from service.bodies.limits import MOST_FRAMES, MOST_LISTED_VALUES, check_shape
from service.bodies.posted import Hints, Posted, frames_of_array
from service.bodies.times import utc_time
from service.http.problems import first_fault


class Base64Frames(BaseModel):
    """Frames (T, H, W) as base64 of little-endian float32 in mm/h, row 0 north, NaN = no data."""

    model_config = ConfigDict(extra="forbid")

    encoding: Literal["base64"] = "base64"
    dtype: Literal["<f4", "float32"] = "<f4"
    shape: tuple[int, int, int]
    data: str


_Row = Annotated[list[Value], Field(fail_fast=True)]
ListedFrames = Annotated[list[Annotated[list[_Row], Field(fail_fast=True)]], Field(fail_fast=True)]

_LIMITS = JsonLimits(
    "frames", objects=4, keys=40, keys_each=40, lists=MOST_ROWS + 200, values=int(1.1 * MOST_LISTED_VALUES), strings=300
)
_MOST_REST_BYTES = 512 * 1024


def _form(frames: object) -> str:
    return "lists" if isinstance(frames, list) else "base64"


class JsonFrames(BaseModel):
    """Frames of rain with their times, oldest first."""

    model_config = ConfigDict(extra="forbid")

    frames: Annotated[
        Annotated[Base64Frames, Tag("base64")] | Annotated[ListedFrames, Tag("lists")], Discriminator(_form)
    ] = Field(description="base64 of float32, or, for at most 1,000,000 values, nested lists with null = no data")
    valid_time: Annotated[datetime, utc_time("valid_time")] | None = Field(
        default=None, description="UTC time of the last frame"
    )
    valid_times: list[Annotated[datetime, utc_time("valid_times")]] | None = Field(
        default=None, description="UTC time of each frame", max_length=MOST_FRAMES
    )
    grid: str | None = Field(default=None, description="name of a known grid, e.g. radolan")
    product: str | None = Field(default=None, pattern="^[A-Za-z0-9_-]{1,32}$")
    timestep_minutes: int | None = Field(default=None, ge=1, le=1440)


def read_json(body: Bytes, hints: Hints) -> Posted:
    """The frames of a JSON body, which takes precedence over the query.

    Raises
    ------
    InvalidRequest
        The body is not JSON of this form, or exceeds the limits.
    UnreadableFile
        The base64 is malformed, or its length does not match the shape.
    """
    bulk = measure(body, _LIMITS)
    rest, lists, text = _without_bulk(body, bulk)
    try:
        posted = JsonFrames.model_validate_json(rest)
    except ValidationError as error:
        expected, got = first_fault(error.errors(include_url=False))
        raise InvalidRequest(expected=expected, got=got, remedy="see /docs for the form of the body") from None
    if posted.valid_time and posted.valid_times:
        raise InvalidRequest(expected="valid_time or valid_times", got="both", remedy="send one of them")
    rain_rate = _rain_rate(posted.frames, body, lists, text)
    return frames_of_array(rain_rate, _merged(hints, posted), posted.valid_times)


def _rain_rate(frames: Base64Frames | ListedFrames, body: Bytes, lists: Bulk | None, text: Bulk | None) -> Float32:
    """The frames; long ones are still in the body."""
    if isinstance(frames, list):
        return read_lists(body, lists.start, lists.stop) if lists and not frames else _listed(frames)
    long = text is not None and not frames.data
    pieces = unescaped(body, text.start, text.stop) if text and long else [frames.data.encode("utf-8", "replace")]
    return _decoded(frames.shape, pieces)


def _without_bulk(body: Bytes, bulk: list[Bulk]) -> tuple[bytes, Bulk | None, Bulk | None]:
    """The body without long frames, and the places of these: as lists, and as base64."""
    parts, position, lists, text = list[bytes](), 0, None, None
    for key, start, stop in bulk:
        if key == b"frames" and body[start - 1 : start] == b'"':
            start, stop = body.find(b"[", start, stop), body.rfind(b"]", start, stop) + 1
            if not 0 <= start < stop:
                continue
            lists, empty = Bulk(key, start, stop), b"[]"
        elif key == b"data" and body[start - 1 : start] == b'"':
            text, empty = Bulk(key, start, stop), b""
        else:
            continue
        parts += [bytes(body[position:start]), empty]
        position = stop
    rest = sum(map(len, parts)) + len(body) - position
    if rest > _MOST_REST_BYTES:
        raise InvalidRequest(
            expected=f"at most {_MOST_REST_BYTES} bytes of JSON without the frames", got=str(rest), remedy="send frames"
        )
    return b"".join([*parts, body[position:]]), lists, text


def _merged(hints: Hints, posted: JsonFrames) -> Hints:
    given: dict[str, Any] = {
        name: value
        for name in ("valid_time", "grid", "product", "timestep_minutes")
        if (value := getattr(posted, name)) is not None
    }
    return replace(hints, **given)


def _decoded(shape: tuple[int, int, int], pieces: Iterable[bytes]) -> Float32:
    check_shape(shape)
    return read_base64(pieces, 4 * math.prod(shape)).view("<f4").reshape(shape)


def _listed(frames: ListedFrames) -> Float32:
    try:
        with np.errstate(over="ignore"):  # too large values become infinite, which is refused as rain
            return np.array(frames, np.float64).astype(np.float32)  # null becomes NaN
    except ValueError:
        raise InvalidRain(
            expected="lists of equal lengths: frames of rows of values", got="ragged lists", remedy="send whole frames"
        ) from None
