"""What pages of other sites may read and ask for."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from service.http.own_headers import Own
from tests.service.conftest import Site, npy, rain, sequence
from tests.service.routes.test_predict import NPY

SITE = "https://maps.example"
SERVICE = Path(__file__).parents[3] / "service"
FETCHED = ("etag", "last-modified", "accept-ranges", "content-range", "content-disposition", "x-request-id")


def exposed(answer: httpx.Response) -> set[str]:
    return {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}


@pytest.fixture
def named(make_site: Callable[..., Site]) -> Site:
    """A site with a run that is degraded, since all its headers are wanted, and may be read by another."""
    site = make_site(cors_origins=SITE, run_lead_minutes=10)
    site.add(sequence(3))
    return site


def test_every_header_of_ours_may_be_read(named: Site) -> None:
    sent = {"Origin": SITE}
    run = named.get("/nowcast").json()["run"]
    answers = [
        named.client.get(path, headers=sent)
        for path in ("/nowcast", f"/nowcast/{run}?format=nc", f"/nowcast/{run}/frames/5", "/nowcast?format=png")
    ]
    part = named.client.get("/nowcast?format=npy", headers={**sent, "Range": "bytes=0-9"})
    posted = named.client.post("/predict?format=tiff&lead_minutes=5", content=npy(rain()), headers={**NPY, **sent})
    seen: set[str] = set()
    for answer in (*answers, part, posted):
        ours = {name for name in answer.headers if name.startswith("x-raincell-")}
        assert len(ours) >= 5
        assert ours <= exposed(answer)
        seen |= ours
    assert set(FETCHED) <= exposed(part)
    assert all(name in part.headers for name in FETCHED)
    # Each name of the list is met here, so none is left over.
    assert seen == {name.lower() for name in Own}


def test_the_one_list_is_told_with_every_answer_and_names_what_is_written(named: Site) -> None:
    for path in ("/livez", "/none", "/nowcast?format=none"):
        answer = named.client.get(path, headers={"Origin": SITE})
        assert {name.lower() for name in Own} <= exposed(answer)
    listed = SERVICE / "http" / "own_headers.py"
    spelled = {path for path in SERVICE.rglob("*.py") if re.search(r"""["']x-raincell-""", path.read_text(), re.I)}
    assert spelled == {listed}, "names are taken from the list: what is spelled elsewhere may be missing there"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_may_ask_for_parts_and_for_what_has_changed(named: Site, method: str) -> None:
    wanted = "range, if-range, if-none-match, if-modified-since, authorization, x-api-key"
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": wanted}
    answer = named.client.request("OPTIONS", "/nowcast", headers={"Origin": SITE, **asked})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == SITE


def test_the_page_of_nobody_else_is_told_anything(named: Site) -> None:
    for headers in ({}, {"Origin": "https://other.example"}):
        assert "access-control-allow-origin" not in named.client.get("/nowcast", headers=headers).headers
