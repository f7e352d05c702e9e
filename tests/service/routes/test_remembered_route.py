"""Routes that read the same question once, and never another's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import APIRouter, FastAPI, Header, Path, Query, Request
from starlette.responses import JSONResponse

from service.context import Parts
from service.routes.remembered_route import RememberedRoute
from tests.service.conftest import Client, client_of

router = APIRouter(route_class=RememberedRoute)


@router.get("/{kind}/places", response_class=JSONResponse)
async def places(
    request: Request,
    service: Parts,  # noqa: ARG001
    kind: Annotated[int, Path(ge=1)],
    lat: Annotated[float, Query(le=90)],
    accept: Annotated[str | None, Header()] = None,
) -> JSONResponse:
    """What was made of the question."""
    return JSONResponse({"kind": kind, "lat": lat, "accept": accept, "tag": request.headers.get("if-none-match")})


@router.post("/places", response_class=JSONResponse)
async def post(request: Request, lat: Annotated[float, Query(le=90)]) -> JSONResponse:
    """As it came."""
    return JSONResponse({"lat": lat, "body": (await request.body()).decode()})


@pytest.fixture
def ask() -> Iterator[Client]:
    app = FastAPI()
    app.router.routes.extend(router.routes)
    app.state.service = None
    with client_of(app) as client:
        yield client


def test_every_part_of_a_question_counts(ask: Client) -> None:
    for _ in range(3):
        for kind in (1, 2):
            for lat in ("52.5", "-3"):
                for accept in ("image/png", "application/json"):
                    got = ask.get(f"/{kind}/places?lat={lat}", headers={"Accept": accept, "If-None-Match": lat})
                    assert got.json() == {"kind": kind, "lat": float(lat), "accept": accept, "tag": lat}


def test_what_is_wrong_stays_wrong(ask: Client) -> None:
    for _ in range(3):
        assert ask.get("/1/places?lat=91").status_code == 422
        assert ask.get("/0/places?lat=9").status_code == 422
        assert ask.get("/1/places").status_code == 422
        assert ask.get("/1/places?lat=9").status_code == 200


def test_bodies_are_read_every_time(ask: Client) -> None:
    for body in ("one", "two"):
        assert ask.post("/places?lat=1", content=body).json() == {"lat": 1.0, "body": body}


def test_more_questions_than_are_remembered_are_answered(ask: Client) -> None:
    for lat in (*range(-80, 80), *range(-80, 80)):
        for padding in range(14):
            got = ask.get(f"/1/places?lat={lat}.{'0' * padding}")
            assert got.json()["lat"] == lat
    assert ask.get("/1/places?lat=5." + "0" * 5000).json()["lat"] == 5
