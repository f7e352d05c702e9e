"""The application as a whole: models, health, documentation, unknown routes, imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from service.feed.demo import Demo
from service.history.history import History
from service.history.store import MemoryHistory
from tests.service.conftest import Client
from tests.service.routes.test_predict import check_problem


def test_models_are_listed_with_card_and_scores(client: Client) -> None:
    answer = client.get("/models").json()
    assert answer["default"] == "still"
    (listed,) = answer["models"]
    assert listed["card"]["input_length"] == 5
    assert listed["lineage"] == listed["card"]["lineage"]
    assert listed["manifest"]["scores"] == {"csi": 0.5}
    assert client.get("/models/still").json() == listed
    check_problem(client.get("/models/nonesuch"), 404, "'nonesuch'")


def test_it_lives_and_is_ready(client: Client) -> None:
    assert client.get("/livez").json() == {"alive": True}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {
        "ready": True,
        "stopping": False,
        "models": ["still"],
        "default_model": "still",
        "rejected": [],
        "provider": "cpu",
        "history": "memory",
        "history_answers": True,
        "frames": [],
        "alerts": [],
        "degraded": None,
    }


def test_unknown_routes_and_methods_are_problems(client: Client) -> None:
    check_problem(client.get("/nonesuch"), 404, "GET /nonesuch")
    response = client.get("/predict")
    check_problem(response, 405, "GET /predict")
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("question", "expected", "got"),
    [
        ("lat=52,5&lon=13.4", "lat to be a valid number", "'52,5'"),
        ("lat=95&lon=13.4", "lat to be less than or equal to 90", "'95'"),
        ("lat=52.5", "lon", "none"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named_with_what_it_should_be(
    client: Client, question: str, expected: str, got: str
) -> None:
    problem = client.get(f"/nowcast/point?{question}").json()
    assert (problem["status"], problem["expected"], problem["got"]) == (422, expected, got)


def test_the_front_door_leads_to_the_documentation(client: Client) -> None:
    assert client.get("/").headers["location"] == "/docs"
    assert client.get("/docs").status_code == 200


def test_the_documentation_names_bodies_answers_and_problems(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    predict = paths["/predict"]["post"]
    assert set(predict["requestBody"]["content"]) == {"multipart/form-data", "application/x-npy", "application/json"}
    assert predict["requestBody"]["required"] is False
    names = {parameter["name"] for parameter in predict["parameters"]}
    assert {"model", "lead_minutes", "valid_time", "grid", "product", "timestep_minutes", "encoding"} <= names
    assert {"application/json", "application/netcdf", "image/png"} <= set(predict["responses"]["200"]["content"])
    assert paths["/frames"]["post"]["requestBody"]["required"] is True
    for path, methods in paths.items():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400 and path != "/readyz":
                    assert list(response["content"]) == ["application/problem+json"], (path, status)


def test_the_documentation_says_what_each_route_does(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    point = "The rain at a place: the past hour, the forecast, and the times when rain starts and ends"
    assert paths["/nowcast/point"]["get"]["summary"] == point
    frames = paths["/frames"]["post"]
    assert frames["summary"].startswith("Add frames to the history")
    assert frames["description"]
    assert frames["description"] not in frames["summary"]
    titles = [operation["summary"] for methods in paths.values() for operation in methods.values()]
    assert all(title.count(" ") >= 2 for title in titles), titles


def test_every_reference_in_the_documentation_can_be_followed(client: Client) -> None:
    document = client.get("/openapi.json").json()

    def follow(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                target = document
                for part in reference.removeprefix("#/").split("/"):
                    target = target[part]
            for value in node.values():
                follow(value)
        elif isinstance(node, list):
            for value in node:
                follow(value)

    follow(document)


def test_a_demo_answers_the_first_request_with_rain(make_client: Callable[..., Client]) -> None:
    client = make_client(demo=True)
    answer = client.post("/predict?product=DEMO&encoding=none").json()
    assert answer["grid"]["name"] == "radolan"
    assert answer["summary"][0]["max"] > 1
    assert 0 <= answer["age_seconds"] < 400
    assert "Synthetic" in answer["attribution"]


def test_the_demo_storm_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from service.feed import demo

    monkeypatch.setattr(demo, "FIRST_FRAMES", 3)
    now = [datetime(2024, 6, 1, 12, 3, tzinfo=UTC)]
    history = History(MemoryHistory(timedelta(hours=6)))
    storm = Demo(history, lambda: now[0])
    storm.catch_up()
    (series,) = history.products().value
    assert [time.minute for time in history.times(series).value] == [50, 55, 0]
    storm.catch_up()
    assert len(history.times(series).value) == 3
    now[0] += timedelta(minutes=3)
    storm.catch_up()
    assert history.latest(series, 4).value.valid_times[-1] == datetime(2024, 6, 1, 12, 5, tzinfo=UTC)
    now[0] += timedelta(hours=3)
    storm.catch_up()
    assert history.times(series).value[-1] == datetime(2024, 6, 1, 15, 5, tzinfo=UTC)
    assert len(history.latest(series, 3).value) == 3


def test_the_service_needs_no_torch_onnx_or_training() -> None:
    blocked = "import sys; sys.modules.update(torch=None, onnx=None, training=None); import service.app"
    subprocess.run([sys.executable, "-c", blocked], check=True, timeout=120)
