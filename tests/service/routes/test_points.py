"""GET /nowcast/point and POST /nowcast/points."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from service.history.codec import SeriesKey
from tests.service.conftest import END, SMALL, STEP, Site, sequence
from tests.service.routes.test_predict import check_problem

LAT, LON = (float(value) for value in SMALL.to_lat_lon(12, 9))


def at(site: Site, lat: float = LAT, lon: float = LON, rest: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = site.get(f"/nowcast/point?lat={lat}&lon={lon}{rest}").json()
    return answer


def test_a_place_has_its_pixels_rain(site: Site) -> None:
    site.look_at(END + timedelta(minutes=4))
    answer = at(site)
    rain = sequence(6, end=END).rain_rate[:, 12, 9]
    assert [step["rate"] for step in answer["observed"]][-6:] == pytest.approx(rain, abs=1e-3)
    assert [step["rate"] for step in answer["observed"]][:6] == [None] * 6
    assert len(answer["forecast"]) == 6
    assert answer["forecast"][-1]["rate"] == pytest.approx(float(rain[-1]), abs=0.01)
    assert (answer["lat"], answer["lon"], answer["name"], answer["coverage"]) == (LAT, LON, None, "ok")
    assert answer["rain_now"] is bool(rain[-1] >= 0.1)
    run = site.get("/nowcast").json()["run"]
    assert (answer["run"], answer["model"], answer["version"], answer["product"]) == (run, "still", "1", "RY")
    assert (answer["method"], answer["degraded"], answer["probability_runs"]) == ("model", None, [run])
    assert answer["probability_method"] == "neighbourhood and time-lagged runs"
    assert answer["age_seconds"] > 0
    assert site.get(f"/nowcast/point?lat={LAT}&lon={LON}").headers["cache-control"].startswith("max-age=")


def test_asked_again_the_answer_is_the_same_and_of_the_newest_run(site: Site) -> None:
    first, again = at(site), at(site)
    for answer in (first, again):
        answer.pop("age_seconds")
    assert first == again
    run = site.add(sequence(1, end=END + STEP, seed=3))
    assert at(site)["run"] == run
    assert at(site)["probability_runs"] == [run, first["run"]]


def test_places_without_radar_are_answered_with_200(site: Site) -> None:
    assert at(site, 0, 0)["coverage"] == "no_coverage"
    lat, lon = (float(value) for value in SMALL.to_lat_lon(1, 1))
    answer = at(site, lat, lon)  # never seen by the radar
    assert (answer["coverage"], answer["rain_now"]) == ("no_coverage", None)
    frames = sequence(1, end=END + STEP)
    frames.rain_rate[:] = float("nan")
    site.add(frames)
    assert at(site)["coverage"] == "missing_data"


def test_a_run_whose_end_has_passed_says_nothing_about_now(site: Site) -> None:
    site.look_at(END + timedelta(minutes=30, seconds=-1))
    assert at(site)["degraded"] is None
    for late in (timedelta(minutes=30), timedelta(hours=9), timedelta(days=3000)):
        site.look_at(END + late)
        answer = at(site)
        assert (answer["rain_now"], answer["starts_in_minutes"], answer["ends_in_minutes"]) == (None, None, None)
        assert answer["degraded"].startswith("stale: the latest run ended at 2017-08-16T01:45:00Z")
        many = site.client.post("/nowcast/points", json=[{"lat": LAT, "lon": LON}]).json()
        (place,) = many["points"]
        assert (many["degraded"], place["rain_now"]) == (answer["degraded"], None)
        for step in answer["forecast"] + place["forecast"]:  # numbers there would pass for what is to come
            assert (step["rate"], step["amount"], set(step["probabilities"].values())) == (None, None, {None})
        assert len(place["forecast"]) == 6
        assert answer["observed"][-1]["rate"] is not None


def test_a_place_is_kept_for_a_minute_at_most_and_never_past_the_end_of_its_run(site: Site) -> None:
    for seconds, kept in ((0, 60), (29 * 60, 60), (30 * 60 - 20, 20), (30 * 60 - 0.5, 0), (30 * 60, 5)):
        site.look_at(END + timedelta(seconds=seconds))
        for answer in (
            site.get(f"/nowcast/point?lat={LAT}&lon={LON}"),
            site.client.post("/nowcast/points", json=[{"lat": LAT, "lon": LON}]),
        ):
            assert answer.headers["cache-control"] == f"max-age={kept}", seconds


def test_the_products_of_others_break_no_client_of_the_feeds(make_site: Callable[..., Site]) -> None:
    site = make_site(run_lead_minutes=30)
    run = site.add(sequence(6, end=END))
    site.service.history.mark_fed(SeriesKey("RY", SMALL.key))
    site.add(replace(sequence(6, end=END), product="MINE"))
    assert at(site)["run"] == run
    assert site.get("/nowcast").json()["run"] == run
    assert site.client.post("/predict?lead_minutes=5").json()["product"] == "RY"
    assert at(site, rest="&product=MINE")["product"] == "MINE"
    site.service.history.mark_fed(SeriesKey("MINE", SMALL.key))  # two feeds: which is meant nobody knows
    time.sleep(0.1)
    check_problem(site.get("/nowcast"), 422)


def test_a_default_product_is_meant_where_none_is_named(make_site: Callable[..., Site]) -> None:
    site = make_site(run_lead_minutes=30, default_product="MINE")
    check_problem(site.get("/nowcast"), 404, "got 'MINE', which RAINCELL_DEFAULT_PRODUCT names")
    site.add(sequence(6, end=END))
    for answer in (
        site.get(f"/nowcast/point?lat={LAT}&lon={LON}"),
        site.client.post("/predict?lead_minutes=5"),
        site.get("/nowcast?grid=small", "image/png"),
    ):
        problem = check_problem(answer, 404, "RAINCELL_DEFAULT_PRODUCT")
        assert problem["remedy"].startswith("name one of RY with product=")
    assert "RAINCELL" not in check_problem(site.get("/nowcast?product=OTHER"), 404)["detail"]
    run = site.add(replace(sequence(6, end=END), product="MINE"))
    assert at(site)["run"] == site.get("/nowcast").json()["run"] == run
    assert site.client.post("/predict?lead_minutes=5").json()["product"] == "MINE"


def test_the_only_product_is_meant_by_predict_too(site: Site) -> None:
    assert site.client.post("/predict?lead_minutes=5").json()["product"] == "RY"


def test_runs_are_asked_for_by_their_model(site: Site) -> None:
    assert at(site, rest="&model=still")["model"] == "still"
    problem = check_problem(site.get("/nowcast?model=stil"), 404)
    assert "still may be meant" in problem["remedy"]


def test_lead_minutes_is_how_far_a_run_reaches(site: Site) -> None:
    index = site.get("/nowcast?lead_minutes=15").json()
    assert [frame["lead_minutes"] for frame in index["forecast"]] == [5, 10, 15]
    array = np.load(io.BytesIO(site.get("/nowcast?lead_minutes=15", "application/x-npy").content))
    assert len(array) == 3
    check_problem(site.get("/nowcast?lead_minutes=-10"), 422)
    assert site.get("/nowcast?lead_minutes=-10", "image/png").status_code == 200


@pytest.mark.parametrize("lead", [7, 35, 125, 1441])
def test_a_lead_time_that_there_is_not_is_one_fault_on_every_route(site: Site, lead: int) -> None:
    run = site.get("/nowcast").json()["run"]
    asked = [f"/nowcast?lead_minutes={lead}", f"/nowcast/{run}?lead_minutes={lead}"]
    asked += [f"/nowcast/{run}/frames/{lead}", f"/nowcast/{run}/probability/{lead}"]
    answers = [site.get(url, form) for url in asked for form in ("application/json", "application/x-npy", "image/png")]
    if lead != 35:  # of that length POST /predict makes a forecast of its own
        answers.append(site.client.post(f"/predict?lead_minutes={lead}"))
    for answer in answers:
        problem = check_problem(answer, 422)
        assert str(lead) in problem["got"]
        assert problem["type"] == "urn:raincell:problem:invalid-request"


def test_many_places_keep_their_order_and_names(site: Site) -> None:
    places = [{"lat": LAT, "lon": LON, "name": "here"}, {"lat": 0, "lon": 0}, {"lat": LAT, "lon": LON}]
    answer = site.client.post("/nowcast/points", json=places).json()
    assert [place["name"] for place in answer["points"]] == ["here", None, None]
    assert [place["coverage"] for place in answer["points"]] == ["ok", "no_coverage", "ok"]
    single = at(site)
    for key in ("observed", "forecast", "rain_now", "coverage", "lat", "lon"):
        assert answer["points"][0][key] == answer["points"][2][key] == single[key]
    assert answer["run"] == single["run"]
    assert len(site.client.post("/nowcast/points", json=places[:1] * 1000).json()["points"]) == 1000


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b"[1]",
        b'[{"lat": 1}]',
        b'[{"lat": 91, "lon": 0}]',
        b'[{"lat": NaN, "lon": 0}]',
        b'[{"lat": 1e999, "lon": 0}]',
        b'[{"lat": 1, "lon": 0, "what": 1}]',
        b"nonsense",
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b'[{"lat": ' + b"1" * 5000 + b', "lon": 1}]',
        b'[{"lat": 1, "lon": 1, "name": "\\ud800"}]',
        b"[" + b",".join([b'{"lat": 1, "lon": 1}'] * 1001) + b"]",
    ],
)
def test_questions_that_name_no_places_are_refused(site: Site, body: bytes) -> None:
    response = site.client.post("/nowcast/points", content=body, headers={"Content-Type": "application/json"})
    check_problem(response, 422)


def test_places_come_as_json(site: Site) -> None:
    body = b'[{"lat": 1, "lon": 1}]'
    for content_type in ("text/plain", "", "application/x-www-form-urlencoded"):
        response = site.client.post("/nowcast/points", content=body, headers={"Content-Type": content_type})
        check_problem(response, 415)
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert site.client.post("/nowcast/points", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("query", ["", "lat=1", "lat=x&lon=1", "lat=nan&lon=1", "lat=91&lon=1", "lat=1&lon=181"])
def test_a_point_needs_degrees(site: Site, query: str) -> None:
    check_problem(site.get(f"/nowcast/point?{query}"), 422)


def test_a_product_that_is_not_there(site: Site) -> None:
    check_problem(site.get(f"/nowcast/point?lat={LAT}&lon={LON}&product=YW"), 404, "'YW'")
    check_problem(site.client.post("/nowcast/points?product=YW", json=[{"lat": 1, "lon": 1}]), 404)


def test_the_run_of_an_incomplete_history_says_so_at_places_too(make_site: Callable[..., Site]) -> None:
    site = make_site()
    site.add(sequence(2, end=END - timedelta(minutes=5)))
    site.look_at(END)
    answer = at(site)
    assert answer["method"] == "extrapolation"
    assert answer["degraded"] == "2 of 5 frames: extrapolation instead of model still"
