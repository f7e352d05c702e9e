"""Times in queries, paths and bodies: one reading of them everywhere."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.service.conftest import Client, npy, rain
from tests.service.routes.test_predict import NPY, check_problem

STAMP = "2017-08-16T01:15:00Z"
READ = ["201708160115", "20170816_0115", "20170816T011500Z", "2017-08-16T03:15:00+02:00", "2017-08-16T03:15:00%2B02:00"]
REFUSED = ["1502846100", "1502846100.0", "20170816", "2017081601", "1708160115", "2017-08-16", "2016-12-31T23:59:60Z"]


def add(client: Client, time: str) -> httpx.Response:
    return client.post(f"/frames?product=RY&valid_time={time}", content=npy(rain()), headers=NPY)


def predict(client: Client, **said: Any) -> httpx.Response:
    body = {"frames": [[[1.0, 0.0], [0.0, 2.0]]] * 5, "product": "RY", **said}
    return client.post("/predict?encoding=none&lead_minutes=5", json=body)


@pytest.mark.parametrize("time", READ)
def test_a_time_means_the_same_in_query_and_path(client: Client, time: str) -> None:
    assert add(client, time).json()["stored"][-1] == STAMP
    assert client.delete(f"/frames/RY/{time}").json() == {"product": "RY", "withdrawn": STAMP}


@pytest.mark.parametrize("time", REFUSED)
def test_what_may_mean_something_else_is_refused_in_query_path_and_body(client: Client, time: str) -> None:
    every = ["2017-08-16T00:55Z", "2017-08-16T01:00Z", "2017-08-16T01:05Z", "2017-08-16T01:10Z", time]
    answers = [
        add(client, time),
        client.delete(f"/frames/RY/{time}"),
        predict(client, valid_time=time),
        predict(client, valid_times=every),
    ]
    for answer in answers:
        check_problem(answer, 422, "a time since 1950 in ISO 8601")
        assert answer.json()["remedy"]
    assert client.get("/frames").json()["series"] == []


def test_numbers_in_json_are_no_times(client: Client) -> None:
    for number in (1502846100, 201708160115, 1502846100.5):
        check_problem(predict(client, valid_time=number), 422, "valid_time", "seconds since 1970")
    assert predict(client, valid_time="201708160115").json()["reference_time"] == STAMP
