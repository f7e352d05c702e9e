"""The history over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np

from tests.service.conftest import Client, RedisServer, npy, rain
from tests.service.routes.test_predict import NPY, check_problem


def add(client: Client, end: str, frames: int = 1, **query: Any) -> httpx.Response:
    """Frames added as .npy."""
    query = {"valid_time": f"2017-08-16T{end}:00Z", "product": "RY", **query}
    return client.post("/frames", params=query, content=npy(rain(frames)), headers=NPY)


def test_nothing_is_listed_at_first(client: Client) -> None:
    response = client.get("/frames")
    assert response.status_code == 200
    assert response.json() == {"series": [], "quarantined": [], "degraded": None}


def test_added_frames_are_listed_with_their_gaps(client: Client) -> None:
    added = add(client, "01:05", frames=2)
    assert added.status_code == 201
    stored = added.json()
    assert stored["product"] == "RY"
    assert stored["stored"] == ["2017-08-16T01:00:00Z", "2017-08-16T01:05:00Z"]
    assert add(client, "01:20").status_code == 201
    (series,) = client.get("/frames").json()["series"]
    assert series["grid"] == stored["grid"]
    assert series["timestep_minutes"] == 5
    assert series["times"] == ["2017-08-16T01:00:00Z", "2017-08-16T01:05:00Z", "2017-08-16T01:20:00Z"]
    assert series["gaps"] == ["2017-08-16T01:10:00Z", "2017-08-16T01:15:00Z"]
    assert series["newest"] == "2017-08-16T01:20:00Z"


def test_the_feeds_product_is_meant_among_those_that_others_send(client: Client) -> None:
    add(client, "01:05", frames=5)
    add(client, "01:05", frames=5, product="MINE")
    check_problem(client.post("/predict?lead_minutes=5"), 422, "product=")
    query = {"valid_time": "2017-08-16T01:10:00Z", "product": "RY"}
    headers = {**NPY, "X-Raincell-Feed": "1"}
    assert client.post("/frames", params=query, content=npy(rain(1)), headers=headers).status_code == 201
    assert client.post("/predict?lead_minutes=5").json()["product"] == "RY"
    refused = client.post("/frames", params=query, content=npy(rain(1)), headers=headers | {"X-Raincell-Feed": "yes"})
    check_problem(refused, 422, "X-Raincell-Feed")


def test_the_list_can_be_narrowed(client: Client) -> None:
    add(client, "01:00")
    add(client, "01:00", product="YW")
    assert [series["product"] for series in client.get("/frames?product=YW").json()["series"]] == ["YW"]
    assert client.get("/frames?grid=radolan").json()["series"] == []
    check_problem(client.get("/frames?product=XX"), 404, "'XX'")
    check_problem(client.get("/frames?product=a%20b"), 422, "product")


def test_frames_can_be_withdrawn(client: Client) -> None:
    add(client, "01:00", frames=2)
    response = client.delete("/frames/RY/2017-08-16T01:00:00Z")
    assert response.json() == {"product": "RY", "withdrawn": "2017-08-16T01:00:00Z"}
    assert client.get("/frames").json()["series"][0]["times"] == ["2017-08-16T00:55:00Z"]
    check_problem(client.delete("/frames/RY/2017-08-16T01:00:00Z"), 404, "RY at 2017-08-16T01:00:00Z")
    check_problem(client.delete("/frames/RY/yesterday"), 422, "time")


def test_frames_without_product_or_body_are_refused(client: Client) -> None:
    response = client.post("/frames", params={"valid_time": "2017-08-16T01:00Z"}, content=npy(rain(1)), headers=NPY)
    check_problem(response, 422, "product=RY")
    check_problem(client.post("/frames?product=RY"), 422, "frames in the body")
    check_problem(client.post("/frames", content=b"x"), 415)
    assert client.get("/frames").json()["series"] == []


def test_nothing_of_a_refused_request_is_stored(client: Client) -> None:
    absurd = np.full((2, 4, 4), [[[1.0]], [[2000.0]]], np.float32)
    params = {"valid_time": "2017-08-16T01:00Z", "product": "RY"}
    check_problem(client.post("/frames", params=params, content=npy(absurd), headers=NPY), 422, "2000 mm/h")
    assert client.get("/frames").json()["series"] == []


def test_replicas_share_redis(make_client: Callable[..., Client], redis_server: RedisServer) -> None:
    one, other = make_client(redis_url=redis_server.url), make_client(redis_url=redis_server.url)
    assert add(one, "01:15", frames=5).status_code == 201
    assert other.get("/frames").json()["series"][0]["times"][-1] == "2017-08-16T01:15:00Z"
    assert other.post("/predict?product=RY").status_code == 200


def test_without_redis_the_service_starts_and_says_so(
    make_client: Callable[..., Client], redis_server: RedisServer
) -> None:
    redis_server.kill()
    client = make_client(redis_url=redis_server.url)
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["history_answers"] is False
    assert ready.json()["degraded"] == "history store unavailable"
    for response in (client.get("/frames"), add(client, "01:00"), client.post("/predict?product=RY")):
        check_problem(response, 503, "history store")
        assert int(response.headers["retry-after"]) > 0
