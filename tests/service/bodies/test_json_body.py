"""What JSON may hold, and frames in it that are too long to be read at once."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import zstandard

from radar.errors import InvalidRain, InvalidRequest, RaincellError, UnreadableFile
from radar.sequence import Float32
from service.answers.arrays import frames_json
from service.answers.large import Base64
from service.bodies.json_body import read_json
from service.bodies.json_frames import MOST_ROWS
from service.bodies.posted import Hints
from tests.service.conftest import Site
from tests.service.routes.test_predict import check_problem

HINTS = Hints(now=datetime(2017, 8, 16, tzinfo=UTC))
JSON = {"Content-Type": "application/json"}


def rain(*shape: int) -> Float32:
    values = np.random.default_rng(1).random(shape, np.float32)
    values[0, 0, 1] = np.nan
    return values


def as_lists(frames: Float32, **how: Any) -> bytes:
    listed = [[[None if np.isnan(value) else float(value) for value in row] for row in frame] for frame in frames]
    return json.dumps({"product": "RY", "frames": listed, "valid_time": "2017-08-16T00:00:00Z"}, **how).encode()


def as_base64(frames: Float32, escape: Callable[[bytes], bytes] = bytes) -> bytes:
    data = escape(base64.b64encode(frames.astype("<f4").tobytes())).decode()
    head = json.dumps({"shape": frames.shape, "data": ""})[:-2]
    return f'{{"frames": {head}{data}"}}, "product": "RY"}}'.encode()


def read(body: bytes) -> Float32:
    return read_json(body, HINTS).frames.rain_rate


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 60, 70), (1, 1, 40_000), (2, 9000, 2), (64, 30, 40)], ids=str)
@pytest.mark.parametrize("how", [{}, {"separators": (",", ":")}, {"indent": 1}], ids=["usual", "dense", "indented"])
def test_lists_of_any_length_are_the_frames(shape: tuple[int, ...], how: dict[str, Any]) -> None:
    frames = rain(*shape)
    posted = read_json(as_lists(frames, **how), HINTS).frames
    np.testing.assert_array_equal(posted.rain_rate, frames)
    assert posted.product == "RY"
    assert posted.valid_times[-1] == HINTS.now


def php(text: bytes) -> bytes:
    """As PHP writes strings."""
    return text.replace(b"/", b"\\/")


def gson(text: bytes) -> bytes:
    """As Gson does for web pages."""
    return text.replace(b"=", b"\\u003d")


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 7, 5), (2, 230, 401)], ids=str)
@pytest.mark.parametrize("escape", [bytes, php, gson], ids=["plain", "php", "gson"])
def test_base64_of_any_length_is_the_frames(shape: tuple[int, ...], escape: Callable[[bytes], bytes]) -> None:
    frames = rain(*shape)
    np.testing.assert_array_equal(read(as_base64(frames, escape)), frames)


ROW, MANY = b"[0, 1.5, null], ", 6000
"""Rows of three values, so many that they are read piece by piece."""


def rows(last: bytes) -> bytes:
    return b'{"frames": [[' + ROW * MANY + last + b"]]}"


@pytest.mark.parametrize(
    ("body", "error", "text"),
    [
        (rows(b"[0, 1]"), InvalidRain, "ragged"),
        (rows(b"[0, 1, 2]], [[0, 1, 2]"), InvalidRain, "ragged"),
        (rows(b"[0, 1, true]"), InvalidRequest, f"frames.0.{MANY}.2 to be a valid number, got a bool"),
        (rows(b"[0, , 1]"), InvalidRequest, "not JSON"),
        (rows(b"[0, 1, 2,]"), InvalidRain, "ragged"),
        (rows(b"[0, 1, 2],"), InvalidRequest, "other lists"),
        (rows(b"null"), InvalidRequest, "other lists"),
        (rows(b"7"), InvalidRequest, "other lists"),
        (rows(b"[[0, 1, 2]]"), InvalidRequest, "other lists"),
        (rows(b"[0, 1, 2]]"), InvalidRequest, "other lists"),
        (rows(b"[0, 1, -2]"), InvalidRain, "negative"),
        (rows(b"[0, 1, 1e99]"), InvalidRain, "infinite"),
        (rows(b"[0, 1" + b" " * 2_000_000 + b", 2]"), InvalidRequest, "megabyte"),
        (b'{"frames": [[' + b"[0]," * MOST_ROWS + b"[0]]]}", InvalidRequest, f"more than {MOST_ROWS} rows"),
        (as_base64(rain(2, 230, 400)).replace(b'"data": "', b'"data": "AA=='), UnreadableFile, "base64"),
        (as_base64(rain(2, 230, 400))[:-40] + b'"}}', UnreadableFile, "736000 bytes for the shape"),
        (as_base64(rain(2, 230, 400)).replace(b'"data": "', b'"data": "AAAA'), UnreadableFile, "got more"),
        (as_base64(rain(2, 230, 400)).replace(b'"data": "', '"data": "ä'.encode()), UnreadableFile, "base64"),
    ],
)
def test_long_frames_that_are_wrong_are_refused_in_words(body: bytes, error: type[RaincellError], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        read(body)


HOSTILE = {
    "unknown keys": b"{" + b",".join(b'"%x":1' % number for number in range(300_000)) + b"}",
    "objects": b'{"frames":[' + b"{}," * 1_000_000 + b"{}]}",
    "commas": b'{"frames":[[[' + b"," * 8_000_000 + b"0]]]}",
    "opening brackets": b'{"frames":' + b"[" * 8_000_000,
    "empty strings": b'{"frames":[' + b'"",' * 3_000_000 + b'""]}',
    "escaped quotes": b'{"grid":"' + b'\\"' * 4_000_000 + b'"}',
    "backslashes": b'{"grid":"' + b"\\\\" * 4_000_000 + b'"}',
    "a long name": b'{"grid":"' + b"a" * 8_000_000 + b'"}',
    "a string without end": b'{"grid":"' + b"a" * 8_000_000,
    "wrong values": b'{"frames":[[[' + b"true," * 20_000 + b"true]]]}",
    "a number": b'{"frames":[[[' + b"1" * 8_000_000 + b"]]]}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_body_holds_is_counted_before_it_is_parsed(name: str) -> None:
    began = time.thread_time()
    with pytest.raises(InvalidRequest):
        read(HOSTILE[name])
    assert time.thread_time() - began < 0.2  # a parser takes seconds for most of these


def listed_places(count: int, more: str = "") -> bytes:
    return json.dumps([{"lat": 1, "lon": 2, "name": 'a{b:[\\"c,'}] * count).replace("}]", f"{more}}}]").encode()


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (listed_places(1000), 200, ""),
        (listed_places(1001), 422, "at most 1000 objects"),
        (listed_places(1, ', "wind": 1'), 422, "0.wind"),
        (b"[{" + b",".join(b'"%x":1' % number for number in range(4500)) + b"}]", 422, "10 keys in one object"),
        (b"[" + b"1," * 500_000 + b"1]", 422, "values"),
        (b"[" + listed_places(1)[1:-1] + b" " * 1_048_576 + b"]", 413, "at most 1048576 bytes"),
        (b"[" * 1000, 422, "at most 10 lists"),
    ],
)
def test_places_are_counted_before_they_are_read(site: Site, body: bytes, status: int, text: str) -> None:
    for headers, content in ((JSON, body), ({**JSON, "Content-Encoding": "zstd"}, zstandard.compress(body))):
        answer = site.client.post("/nowcast/points", content=content, headers=headers)
        if status == 200:
            assert len(answer.json()["points"]) == 1000
        else:
            check_problem(answer, status, text)


def test_frames_as_lists_are_written_in_pieces(site: Site) -> None:
    frames = rain(2, 900, 20)
    content = frames_json(frames, "list")
    assert max(len(part) for part in content if isinstance(part, bytes)) < 400_000
    assert not any(isinstance(part, Base64) for part in content)
    told = json.loads(b"".join(bytes(part) for part in content if not isinstance(part, Base64)))
    np.testing.assert_array_equal(np.array(told["data"], np.float64).astype(np.float32), frames)
    assert told["shape"] == [2, 900, 20]
    assert site.client.post("/predict?encoding=list&lead_minutes=5").json()["frames"]["encoding"] == "list"
