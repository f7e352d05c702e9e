"""A parameter that a route has not is an error: its answer would be to another question."""

from __future__ import annotations

import pytest

from tests.service.conftest import Site
from tests.service.routes.test_predict import check_problem


@pytest.mark.parametrize(
    ("method", "question", "meant"),
    [
        ("POST", "/predict?product=RY&lead_minute=5", "write lead_minutes"),
        ("POST", "/predict?product=RY&timestep=5", "write timestep_minutes"),
        ("POST", "/frames?forced=true", "write force"),
        ("GET", "/frames?produkt=RY", "write product"),
        ("DELETE", "/frames/RY/2026-01-01T00:00:00Z?dry_run=1", "leave it out"),
        ("GET", "/models?default=1", "leave it out"),
        ("GET", "/models/still?version=1", "leave it out"),
        ("GET", "/nowcast?box=5,50,6,51", "write bbox"),
        ("GET", "/nowcast/point?lat=50&lon=9&Lat=51", "write lat"),
        ("POST", "/nowcast/points?products=RY", "write product"),
        ("GET", "/verification?periods=24h", "write period"),
    ],
)
def test_a_misspelt_parameter_is_named_with_what_may_be_meant(
    site: Site, method: str, question: str, meant: str
) -> None:
    problem = check_problem(site.client.request(method, question), 422)
    assert problem["type"] == "urn:raincell:problem:invalid-request"
    assert problem["remedy"].startswith(meant)
    assert repr(question.split("?")[1].split("&")[-1].split("=")[0]) in problem["got"]


def test_a_parameter_that_comes_twice_is_not_chosen_from(site: Site) -> None:
    problem = check_problem(site.client.get("/nowcast/point?lat=50&lon=9&lat=51"), 422)
    assert (problem["expected"], problem["got"]) == ("lat once in the query", "it 2 times")


def test_a_withdrawal_with_a_misspelt_parameter_withdraws_nothing(site: Site) -> None:
    (before,) = site.get("/frames").json()["series"]
    assert site.client.delete(f"/frames/RY/{before['newest']}?grids=small").status_code == 422
    (after,) = site.get("/frames").json()["series"]
    assert after["times"] == before["times"]


def test_a_question_that_is_answered_from_memory_is_checked_all_the_same(site: Site) -> None:
    for _ in range(3):
        assert site.get("/nowcast?product=RY").status_code == 200
        assert site.get("/nowcast?product=RY&").status_code == 200
        assert site.client.get("/nowcast?product=RY&products=RY").status_code == 422


def test_probes_and_metrics_answer_whatever_is_asked(site: Site) -> None:
    for path in ("/livez?verbose=1", "/metrics?name=x"):
        assert site.client.get(path).status_code == 200


def test_a_query_of_thousands_of_parameters_is_not_read(site: Site) -> None:
    problem = check_problem(site.client.get("/frames?" + "product=RY&" * 2000), 422, "at most 50 parameters")
    assert problem["got"] == "2001"
