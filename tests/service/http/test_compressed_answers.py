"""Answers that go out compressed."""

from __future__ import annotations

import gzip
import io

import httpx
import numpy as np
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from service.http.compressed_answers import CompressedAnswers, choose_coding
from tests.service.conftest import Client, client_of, npy, rain

ABOUT = {"valid_time": "2017-08-16T01:15:00Z"}
TEXT = b"rain " * 1000


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("ZSTD", "zstd"),
        ("*", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("zstd;q=0, gzip", "gzip"),
        ("zstd;q=0, gzip;q=0, *", None),
        ("zstd;q=0, *", "gzip"),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.4", "gzip"),
        ("br", None),
        ("gzip;q=nonsense", None),
    ],
)
def test_the_preferred_coding_is_chosen(accepted: str | None, chosen: str | None) -> None:
    assert choose_coding(accepted) == chosen


@pytest.mark.parametrize("media_type", ["application/json", "application/x-npy"])
@pytest.mark.parametrize("coding", ["zstd", "gzip"])
def test_a_forecast_is_the_same_compressed(client: Client, media_type: str, coding: str) -> None:
    answers = {}
    for accepted in ("identity", coding):
        headers = {"Content-Type": "application/x-npy", "Accept": media_type, "Accept-Encoding": accepted}
        answers[accepted] = client.post("/predict", params=ABOUT, content=npy(rain(5, (300, 200))), headers=headers)
    bare, coded = answers["identity"], answers[coding]
    assert "content-encoding" not in bare.headers
    assert coded.headers["content-encoding"] == coding
    assert bare.headers["vary"] == coded.headers["vary"] == "Accept, Accept-Encoding"
    if media_type == "application/x-npy":
        np.testing.assert_array_equal(*(np.load(io.BytesIO(answer.content)) for answer in answers.values()))
    if media_type == "application/json":
        assert bare.json()["frames"] == coded.json()["frames"]


def test_images_and_small_answers_are_left_as_they_are(client: Client) -> None:
    headers = {"Content-Type": "application/x-npy", "Accept": "image/png", "Accept-Encoding": "zstd, gzip"}
    picture = client.post("/predict", params=ABOUT, content=npy(rain(5, (300, 200))), headers=headers)
    assert picture.content.startswith(b"\x89PNG")
    assert "content-encoding" not in picture.headers
    assert picture.headers["vary"] == "Accept"
    small = client.get("/livez", headers=headers)
    assert "content-encoding" not in small.headers
    assert small.headers["vary"] == "Accept-Encoding"


@pytest.fixture
def tagged() -> FastAPI:
    """An application whose answers have ETags, strong, weak, and none."""
    app = FastAPI()
    app.add_middleware(CompressedAnswers)

    @app.get("/strong")
    def strong(request: Request) -> Response:
        headers = {"ETag": '"abc"', "Vary": "Accept"}
        if '"abc"' in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(TEXT, media_type="text/plain", headers=headers)

    @app.get("/weak")
    def weak() -> Response:
        return Response(TEXT, media_type="text/plain", headers={"ETag": 'W/"abc"'})

    @app.get("/stream")
    def stream() -> Response:
        return StreamingResponse((TEXT for _ in range(20)), media_type="text/plain")

    @app.get("/coded")
    def coded() -> Response:
        return Response(gzip.compress(TEXT * 99), media_type="text/plain", headers={"Content-Encoding": "gzip"})

    return app


def test_each_coding_has_its_own_strong_tag(tagged: FastAPI) -> None:
    with client_of(tagged) as client:
        for coding, tag in (("zstd", '"abc-zstd"'), ("gzip", '"abc-gzip"'), ("identity", '"abc"')):
            answer = client.get("/strong", headers={"Accept-Encoding": coding})
            assert (answer.headers["etag"], answer.headers["vary"]) == (tag, "Accept, Accept-Encoding")
            again = client.get("/strong", headers={"Accept-Encoding": coding, "If-None-Match": f'"x", {tag}'})
            assert (again.status_code, again.headers["etag"], again.content) == (304, tag, b"")
            assert "Accept-Encoding" in again.headers["vary"]


def test_a_tag_of_another_coding_does_not_match(tagged: FastAPI) -> None:
    with client_of(tagged) as client:
        for coding in ("gzip", "identity"):
            headers = {"Accept-Encoding": coding, "If-None-Match": '"abc-zstd"'}
            assert client.get("/strong", headers=headers).status_code == 200
        headers = {"Accept-Encoding": "gzip", "If-None-Match": '"abc"'}
        assert client.get("/strong", headers=headers).headers["etag"] == '"abc"'


def test_weak_tags_stay_and_what_is_coded_is_not_coded_again(tagged: FastAPI) -> None:
    with client_of(tagged) as client:
        assert client.get("/weak", headers={"Accept-Encoding": "zstd"}).headers["etag"] == 'W/"abc"'
        assert client.get("/coded", headers={"Accept-Encoding": "zstd"}).text == TEXT.decode() * 99


def test_streams_and_head(tagged: FastAPI) -> None:
    with client_of(tagged) as client:
        for coding in ("zstd", "gzip"):
            answer = client.get("/stream", headers={"Accept-Encoding": coding})
            assert answer.headers["content-encoding"] == coding
            assert answer.content == 20 * TEXT
        head: httpx.Response = client.request("HEAD", "/strong", headers={"Accept-Encoding": "zstd"})
        assert head.status_code == 405 or "content-encoding" not in head.headers
