"""HEAD wherever GET is, and the methods that a path has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from service.answers.geotiff import to_geotiff
from service.answers.writers import WRITERS
from tests.service.conftest import Client, Site, npy, rain
from tests.service.routes.test_predict import NPY, check_problem

CHANGING = {"date", "x-request-id", "x-raincell-age-seconds", "cache-control"}
EVERY = [
    "/livez",
    "/readyz",
    "/",
    "/docs",
    "/openapi.json",
    "/static-offline-docs/swagger-ui.css",
    "/static-offline-docs/none.css",
    "/frames",
    "/frames?product=XX",
    "/models",
    "/models/still",
    "/models/none",
    "/verification",
    "/nowcast",
    "/nowcast?format=tiff",
    "/nowcast?format=none",
    "/nowcast/point?lat=52&lon=10",
    "/nowcast/point?lat=99&lon=10",
    "/nowcast/{run}",
    "/nowcast/{run}?format=nc",
    "/nowcast/{run}/frames/5",
    "/nowcast/{run}/frames/7",
    "/nowcast/{run}/frames/-5?format=png",
    "/nowcast/{run}/probability/5?format=npy",
    "/nowcast/",
    "/none",
]


@pytest.mark.parametrize("coding", ["identity", "zstd"])
def test_head_is_get_without_a_body(site: Site, coding: str) -> None:
    run = site.get("/nowcast").json()["run"]
    for path in EVERY:
        url, headers = path.format(run=run), {"Accept-Encoding": coding}
        head, get = (site.client.request(method, url, headers=headers) for method in ("HEAD", "GET"))
        told = [
            {name: value for name, value in answer.headers.items() if name not in CHANGING} for answer in (head, get)
        ]
        assert (head.status_code, told[0]) == (get.status_code, told[1]), url
        assert head.content == b""
        assert "content-length" in head.headers or "content-encoding" in head.headers


def test_metrics_have_a_head_that_is_counted_as_one(client: Client) -> None:
    assert client.request("HEAD", "/metrics").status_code == 200
    client.request("HEAD", "/models/none")
    told = client.get("/metrics").text
    assert 'raincell_http_requests_total{method="HEAD",route="/models/{name}",status="404"} 1.0' in told


def test_a_file_is_written_once_for_head_and_get(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Mock(wraps=to_geotiff)
    monkeypatch.setitem(WRITERS, "image/tiff", replace(WRITERS["image/tiff"], write=write))
    sizes = [
        site.client.request(method, "/nowcast?format=tiff").headers["content-length"]
        for method in ("HEAD", "HEAD", "GET")
    ]
    assert write.call_count == 1
    assert len(set(sizes)) == 1


def test_head_of_what_is_known_is_304_and_never_a_part(site: Site) -> None:
    first = site.client.request("HEAD", "/nowcast?format=npy", headers={"Accept-Encoding": "identity"})
    known = {"If-None-Match": first.headers["etag"], "Accept-Encoding": "identity"}
    assert site.client.request("HEAD", "/nowcast?format=npy", headers=known).status_code == 304
    part = site.client.request(
        "HEAD", "/nowcast?format=npy", headers={"Range": "bytes=0-9", **known, "If-None-Match": ""}
    )
    assert (part.status_code, part.headers["content-length"]) == (200, first.headers["content-length"])


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/frames", "GET, HEAD, POST"),
        ("GET", "/frames/RY/201708160115", "DELETE"),
        ("HEAD", "/frames/RY/201708160115", "DELETE"),
        ("DELETE", "/predict", "POST"),
        ("HEAD", "/predict", "POST"),
        ("POST", "/nowcast", "GET, HEAD"),
        ("OPTIONS", "/nowcast", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
        ("POST", "/openapi.json", "GET, HEAD"),
        ("PUT", "/static-offline-docs/swagger-ui.css", "GET, HEAD"),
    ],
)
def test_another_method_is_told_those_of_the_path(client: Client, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    check_problem(answer, 405, "a method that the route has") if method != "HEAD" else None


def test_keys_and_stored_frames_are_as_safe_from_head_as_from_get(
    make_client: Callable[..., Client], tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text("")
    guarded = make_client(api_keys=tmp_path / "keys")
    assert guarded.request("HEAD", "/nowcast").status_code == 401
    assert guarded.request("HEAD", "/frames").status_code == 401
    open_to_all = make_client()
    open_to_all.post("/frames?product=RY&valid_time=201708160115", content=npy(rain()), headers=NPY)
    open_to_all.request("HEAD", "/frames/RY/201708160115")
    assert len(open_to_all.get("/frames").json()["series"][0]["times"]) == 5
