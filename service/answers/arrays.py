"""Fields as numbers: JSON, .npy and NetCDF."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import BaseModel

from radar.errors import InvalidRequest
from radar.files.netcdf.writer import to_netcdf
from radar.sequence import Float32
from service.answers.field import Field
from service.answers.large import Base64, Content
from service.answers.schema import FramesAnswer
from service.bodies.limits import MOST_LISTED_VALUES

_LISTED_AT_ONCE = 10_000


def json_of(answer: BaseModel) -> str:
    """An answer as JSON; for an answer with frames see `to_json`."""
    return json.dumps(answer.model_dump(exclude={"frames"}))


def to_json(field: Field) -> Content:
    """The whole answer; frames as base64 of little-endian float32, as nested lists (null = missing), or left out."""
    head = json_of(field.answer()).encode()
    if field.encoding == "none":
        return [head]
    # Assembled by hand: a JSON library would inspect each of 50 million characters of base64.
    return [head[:-1], b', "frames": ', *frames_json(field.frames.rain_rate, field.encoding), b"}"]


def frames_json(values: Float32, encoding: Literal["base64", "list"]) -> Content:
    """The JSON of frames (T, H, W): see FramesAnswer."""
    frames, rows, columns = values.shape
    about = json_of(FramesAnswer(encoding=encoding, dtype="<f4", shape=(frames, rows, columns), data="")).encode()
    if encoding == "list":
        check_listable(values.size)
        return [about[:-3], *_listed(values), b"}"]
    data = Base64(np.ascontiguousarray(values, "<f4").data.cast("B"))
    return [about[:-2], data, b'"}']


def _listed(values: Float32) -> Iterator[bytes]:
    """Nested lists with null for NaN, some rows at a time: one long call would block all other Python threads."""
    frames, rows, columns = values.shape
    together = max(1, _LISTED_AT_ONCE // columns)
    for frame in range(frames):
        yield b"[[" if frame == 0 else b", ["
        for row in range(0, rows, together):
            block = values[frame, row : row + together]
            listed = block.astype(object)
            listed[np.isnan(block)] = None
            yield (b", " if row else b"") + json.dumps(listed.tolist(), allow_nan=False)[1:-1].encode()
        yield b"]"
    yield b"]"


def check_listable(values: int) -> None:
    """Raise InvalidRequest for more values than may be written as lists."""
    if values > MOST_LISTED_VALUES:
        raise InvalidRequest(
            expected=f"at most {MOST_LISTED_VALUES} values with encoding=list",
            got=str(values),
            remedy="take encoding=base64, or Accept: application/x-npy",
        )


def to_npy(field: Field) -> Content:
    """Float32 (T, H, W), NaN = missing, as numpy.load reads it."""
    array = np.ascontiguousarray(field.frames.rain_rate, "<f4")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    return [header.getvalue(), array.data]


def to_netcdf_file(field: Field) -> Content:
    """A CF file with one variable (time, y, x); its attributes describe the answer."""
    return [to_netcdf(field.frames, attributes=field.attributes, quantity=field.quantity)]
