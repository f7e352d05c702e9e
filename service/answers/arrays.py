"""Nowcasts as numbers: JSON, .npy and NetCDF."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Literal

import numpy as np

from radar.errors import InvalidRequest
from radar.files.netcdf.writer import to_netcdf
from radar.sequence import Float32, iso
from service.answers.large import Base64, Content
from service.answers.nowcast import Nowcast
from service.bodies.limits import MOST_LISTED_VALUES

Encoding = Literal["base64", "list", "none"]
_LISTED_AT_ONCE = 10_000


def to_json(nowcast: Nowcast, encoding: Encoding) -> Content:
    """The whole answer; frames as base64 of little-endian float32, as nested lists (null = missing), or left away."""
    head = json.dumps({**nowcast.metadata(), "summary": nowcast.summary()}).encode()
    if encoding == "none":
        return [head]
    # Put together by hand: a JSON library would look at each of 50 million characters of base64.
    return [head[:-1], b', "frames": ', *frames_json(nowcast.forecast.rain_rate, encoding), b"}"]


def frames_json(rain_rate: Float32, encoding: Encoding) -> Content:
    """The JSON of frames (T, H, W): see FramesAnswer."""
    about = json.dumps({"encoding": encoding, "dtype": "<f4", "shape": list(rain_rate.shape), "data": ""}).encode()
    if encoding == "list":
        check_listable(rain_rate.size)
        return [about[:-3], *_listed(rain_rate), b"}"]
    data = Base64(np.ascontiguousarray(rain_rate, "<f4").data.cast("B"))
    return [about[:-2], data, b'"}']


def _listed(rain_rate: Float32) -> Iterator[bytes]:
    """Nested lists with null for NaN, some rows at a time: one long call would hold all of Python."""
    frames, rows, columns = rain_rate.shape
    together = max(1, _LISTED_AT_ONCE // columns)
    for frame in range(frames):
        yield b"[[" if frame == 0 else b", ["
        for row in range(0, rows, together):
            block = rain_rate[frame, row : row + together]
            values = block.astype(object)
            values[np.isnan(block)] = None
            yield (b", " if row else b"") + json.dumps(values.tolist(), allow_nan=False)[1:-1].encode()
        yield b"]"
    yield b"]"


def check_listable(values: int) -> None:
    """Raise InvalidRequest for more values than are written as lists."""
    if values > MOST_LISTED_VALUES:
        raise InvalidRequest(
            expected=f"at most {MOST_LISTED_VALUES} values with encoding=list",
            got=str(values),
            remedy="take encoding=base64, or Accept: application/x-npy",
        )


def to_npy(nowcast: Nowcast) -> Content:
    """Float32 (leads, H, W) in mm/h, NaN = missing, as numpy.load reads it."""
    return npy_of(nowcast.forecast.rain_rate)


def npy_of(rain_rate: Float32) -> Content:
    """Float32 (T, H, W) as a .npy file."""
    array = np.ascontiguousarray(rain_rate, "<f4")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    return [header.getvalue(), array.data]


def to_netcdf_file(nowcast: Nowcast) -> Content:
    """A CF file with rainfall_rate (time, y, x); what the answer says of itself is in its attributes."""
    said = nowcast.metadata()
    wanted = ("model", "version", "method", "run", "degraded", "attribution")
    attributes = {name: said[name] for name in wanted if said[name] is not None}
    attributes["history_times"] = " ".join(said["history_times"])
    attributes["assumed"] = "; ".join(said["assumed"])
    attributes["source"] = f"Raincell: {nowcast.model} {nowcast.version}, {nowcast.method}"
    attributes["history"] = f"{iso(nowcast.made_at)} forecast made by Raincell from {len(nowcast.history_times)} frames"
    return [to_netcdf(nowcast.forecast, attributes=attributes)]
