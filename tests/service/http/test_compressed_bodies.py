"""Bodies that come compressed as a whole."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
import zstandard

from tests.peak_memory import peak_bytes
from tests.service.conftest import Client, ServiceProcess, npy, rain
from tests.service.routes.test_predict import check_problem

NPY = {"Content-Type": "application/x-npy"}
ABOUT = {"valid_time": "2017-08-16T01:15:00Z", "lead_minutes": 5}
MEBIBYTE = 1024 * 1024


def deflate_many(data: bytes) -> bytes:
    """As several gzip members."""
    return gzip.compress(data[:1000]) + gzip.compress(data[1000:])


def zstd_stream(data: bytes) -> bytes:
    """Without the size in the header."""
    stream = zstandard.ZstdCompressor().compressobj()
    return stream.compress(data) + stream.flush()


def zstd_frames(data: bytes) -> bytes:
    return zstandard.compress(data[:1000]) + zstandard.compress(data[1000:])


CODERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("GZIP", deflate_many),
    ("zstd", zstandard.compress),
    ("zstd", zstd_stream),
    ("zstd", zstd_frames),
    ("identity", bytes),
]


def post(client: Client, content: bytes, coding: str, **more: Any) -> httpx.Response:
    return client.post("/predict", params=ABOUT, content=content, headers={**NPY, "Content-Encoding": coding}, **more)


@pytest.mark.parametrize(("coding", "code"), CODERS)
def test_a_compressed_array_is_that_array(client: Client, coding: str, code: Callable[[bytes], bytes]) -> None:
    plain = client.post("/predict", params=ABOUT, content=npy(rain()), headers=NPY)
    coded = post(client, code(npy(rain())), coding)
    assert coded.status_code == 200, coded.text
    assert coded.json()["frames"] == plain.json()["frames"]


@pytest.mark.parametrize(("coding", "code"), CODERS[:4])
def test_forms_and_json_may_be_compressed(client: Client, coding: str, code: Callable[[bytes], bytes]) -> None:
    frames = np.nan_to_num(rain()).tolist()
    body = json.dumps({"frames": frames, "valid_time": "2017-08-16T01:15:00Z"}).encode()
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    assert client.post("/predict", content=code(body), headers=headers).status_code == 200
    form = httpx.Request("POST", "http://x", files={"frames": ("a.bin", b"nonsense")})
    headers = {"Content-Type": form.headers["content-type"], "Content-Encoding": coding}
    check_problem(client.post("/predict", content=code(form.read()), headers=headers), 422)


def test_a_large_body_comes_in_pieces(client: Client) -> None:
    array = rain(5, (200, 160))
    plain = client.post("/predict", params=ABOUT, content=npy(array), headers=NPY).json()["frames"]
    for coding, code in CODERS[:6]:
        assert post(client, code(npy(array)), coding).json()["frames"] == plain


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, zstd", "nonsense\x7f", "compress"])
def test_other_codings_are_refused(client: Client, coding: str) -> None:
    problem = check_problem(post(client, b"x", coding), 415)
    assert "zstd or gzip" in problem["expected"]


def wide_window() -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, compression_level=1)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return stream.compress(npy(rain())) + stream.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"no gzip at all"),
        ("zstd", b"no zstd at all"),
        ("gzip", gzip.compress(npy(rain()))[:-9]),
        ("gzip", gzip.compress(npy(rain())) + b"more"),
        ("gzip", zlib.compress(npy(rain()))),
        ("zstd", zstandard.compress(npy(rain()))[:-9]),
        ("zstd", zstandard.compress(npy(rain())) + b"more"),
        ("zstd", wide_window()),
        ("zstd", gzip.compress(npy(rain()))),
    ],
    ids=["text", "text", "cut off", "longer", "zlib", "cut off", "longer", "wide window", "other coding"],
)
def test_bodies_that_do_not_decode_are_refused(client: Client, coding: str, body: bytes) -> None:
    check_problem(post(client, body, coding), 422, "Content-Encoding")


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_body_counts_by_what_it_decodes_to(make_client: Callable[..., Client], coding: str) -> None:
    code = dict(CODERS)[coding]
    client = make_client(max_body_mb=1)
    check_problem(post(client, code(bytes(2 * MEBIBYTE)), coding), 413, "at most 1 MiB")
    check_problem(
        client.post("/frames", content=code(bytes(2 * MEBIBYTE)), headers={**NPY, "Content-Encoding": coding}), 413
    )
    client = make_client(max_body_mb=4)
    assert "npy" in check_problem(post(client, code(bytes(2 * MEBIBYTE)), coding), 422)["expected"]


def bomb(coding: str) -> bytes:
    """256 MiB of zeros in 256 or 8 KiB."""
    stream: Any = zlib.compressobj(wbits=31) if coding == "gzip" else zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join(stream.compress(bytes(MEBIBYTE)) for _ in range(256)) + bytes(stream.flush())


def test_a_bomb_is_refused_in_bounded_memory(service_process: Callable[..., ServiceProcess]) -> None:
    server = service_process()
    before = peak_bytes(server.process.pid) / MEBIBYTE
    for coding in ("gzip", "zstd"):
        body, headers = bomb(coding), {**NPY, "Content-Encoding": coding}
        for _ in range(3):
            answer = httpx.post(f"{server.url}/predict", content=body, headers=headers, timeout=60)
            assert answer.status_code == 413
        above = peak_bytes(server.process.pid) / MEBIBYTE - before
        assert above < 200, coding  # the body may have 64
