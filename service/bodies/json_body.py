"""Bodies of media type application/json: base64 of float32, or nested lists for small grids."""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from radar.errors import InvalidRain, InvalidRequest, UnreadableFile
from radar.sequence import Float32
from service.bodies.limits import MOST_FRAMES, MOST_LISTED_VALUES, check_shape
from service.bodies.posted import Hints, Posted, frames_of_array
from service.problems import first_fault
from service.times import utc_time


class Base64Frames(BaseModel):
    """Frames (T, H, W) as base64 of little-endian float32 in mm/h, row 0 north, NaN = no data."""

    model_config = ConfigDict(extra="forbid")

    encoding: Literal["base64"] = "base64"
    dtype: Literal["<f4", "float32"] = "<f4"
    shape: tuple[int, int, int]
    data: str


ListedFrames = list[list[list[Annotated[float, Field(strict=True)] | None]]]


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


def read_json(body: bytes, hints: Hints) -> Posted:
    """The frames of a JSON body, which goes before the query where both say something.

    Raises
    ------
    InvalidRequest
        Not JSON of this form.
    UnreadableFile
        Base64 that is none, or of another length than the shape says.
    """
    if body.count(b",") > 1.1 * MOST_LISTED_VALUES:
        raise InvalidRequest(
            expected=f"at most {MOST_LISTED_VALUES} values as lists", got="more", remedy="send base64, or .npy"
        )
    try:
        posted = JsonFrames.model_validate_json(body)
    except ValidationError as error:
        expected, got = first_fault(error.errors(include_url=False))
        raise InvalidRequest(expected=expected, got=got, remedy="see /docs for the form of the body") from None
    if posted.valid_time and posted.valid_times:
        raise InvalidRequest(expected="valid_time or valid_times", got="both", remedy="send one of them")
    rain_rate = _listed(posted.frames) if isinstance(posted.frames, list) else _decoded(posted.frames)
    return frames_of_array(rain_rate, _merged(hints, posted), posted.valid_times)


def _merged(hints: Hints, posted: JsonFrames) -> Hints:
    said: dict[str, Any] = {
        name: value
        for name in ("valid_time", "grid", "product", "timestep_minutes")
        if (value := getattr(posted, name)) is not None
    }
    return replace(hints, **said)


def _decoded(frames: Base64Frames) -> Float32:
    check_shape(frames.shape)
    expected = 4 * math.prod(frames.shape)
    if len(frames.data) // 4 * 3 > expected + 4:
        raise _wrong_length(frames.shape, expected, f"about {len(frames.data) // 4 * 3}")
    try:
        content = base64.b64decode(frames.data, validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableFile(expected="base64", got="other characters", remedy="encode the bytes as base64") from None
    if len(content) != expected:
        raise _wrong_length(frames.shape, expected, str(len(content)))
    return np.frombuffer(content, "<f4").reshape(frames.shape)


def _wrong_length(shape: tuple[int, int, int], expected: int, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"{expected} bytes for shape {shape}", got=got, remedy="send float32, four bytes for each pixel"
    )


def _listed(frames: ListedFrames) -> Float32:
    try:
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, which is refused as rain
            return np.array(frames, np.float64).astype(np.float32)  # null becomes NaN
    except ValueError:
        raise InvalidRain(
            expected="lists of equal lengths: frames of rows of values", got="ragged lists", remedy="send whole frames"
        ) from None
