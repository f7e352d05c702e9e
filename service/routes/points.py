"""The rain at places: GET /nowcast/point and POST /nowcast/points."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from models.exceedance.odds import Statistic
from radar.errors import InvalidRequest
from radar.products import attribution
from radar.sequence import iso
from service.answers.arrays import json_of
from service.answers.formats import JSON
from service.answers.headers import age_seconds
from service.answers.run_schema import Place, PlaceAnswer, PlacesChanging, PlacesSource, RunsPlacesAnswer
from service.bodies.json_measure import Bytes, JsonLimits, measure
from service.bodies.read import read_whole
from service.context import Parts, Service
from service.errors import UnsupportedBody
from service.http.openapi import reference
from service.http.own_headers import Own
from service.http.problems import documented, first_fault
from service.routes.query import GridName, ModelName, Product, StatisticName
from service.routes.remembered_route import RememberedRoute
from service.routes.run_answer import Found, latest
from service.runs.odds.offered import check_run
from service.runs.points import ahead_of, describe_places
from service.runs.probability import method_of
from service.runs.run import Run

router = APIRouter(prefix="/nowcast", tags=["nowcast"], route_class=RememberedRoute)

MOST_PLACES = 1000
_MINUTE_SECONDS = 60
"""Minutes in answers count from now."""


class PlaceQuestion(BaseModel):
    """A place in degrees, with a name that is repeated in the answer."""

    model_config = ConfigDict(extra="forbid")

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False, examples=[52.5])
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False, examples=[13.4])
    name: str | None = Field(default=None, max_length=100, examples=["Berlin"])


Lat = Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, description="degrees north", examples=[52.5])]
Lon = Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False, description="degrees east", examples=[13.4])]
_PLACES = TypeAdapter(Annotated[list[PlaceQuestion], Field(min_length=1, max_length=MOST_PLACES, fail_fast=True)])
_LIMITS = JsonLimits(
    f"{MOST_PLACES} places",
    objects=MOST_PLACES,
    keys=3 * MOST_PLACES + 10,  # one place may have some too many, so that the error names one of them
    keys_each=10,
    lists=10,
    values=3 * MOST_PLACES + 10,
    strings=5 * MOST_PLACES,
)
_MOST_BYTES = 1024 * 1024
_AT_ONCE_BYTES = 4096
"""Smaller bodies are parsed faster than a thread can be started."""
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "type": "array",
                    "items": reference(PlaceQuestion),
                    "minItems": 1,
                    "maxItems": MOST_PLACES,
                }
            }
        },
    }
}


def _answers(schema: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    described = {"description": "The past hour and the forecast", "content": {JSON: {"schema": reference(schema)}}}
    return {200: described, **documented(*statuses)}


@router.get("/point", response_class=Response, responses=_answers(PlaceAnswer, 404, 422, 500, 503))
async def point(
    request: Request,  # noqa: ARG001 - for RememberedRoute
    service: Parts,
    lat: Lat,
    lon: Lon,
    product: Product | None = None,
    grid: GridName | None = None,
    model: ModelName | None = None,
    statistic: StatisticName = "matched",
) -> Response:
    """The rain at a place: the past hour, the forecast, and the times when rain starts and ends."""
    found = await latest(service, product, grid, model)
    check_run(found.run, statistic)
    minutes_ago = _minutes_ago(found)
    key = (found.run.id, "place", lat, lon, minutes_ago, statistic)
    kept = service.answers.find(key)
    if kept is None:
        async with service.place_readers:
            kept = await run_sync(_one, service, found.run, lat, lon, minutes_ago, statistic)
        service.answers.keep(key, kept, 2 * len(kept))
    return _json(found, statistic, kept)


@router.post(
    "/points",
    response_class=Response,
    responses=_answers(RunsPlacesAnswer, 404, 408, 413, 415, 422, 500, 503),
    openapi_extra=_BODY,
)
async def points(
    request: Request,
    service: Parts,
    product: Product | None = None,
    grid: GridName | None = None,
    statistic: StatisticName = "matched",
) -> Response:
    """The same for several places at once, in their order."""
    _check_media_type(request.headers.get("content-type", ""))
    body = await read_whole(request, _MOST_BYTES)
    places = _read(body) if len(body) < _AT_ONCE_BYTES else await run_sync(_read, body)
    found = await latest(service, product, grid)
    check_run(found.run, statistic)
    async with service.place_readers:
        return await run_sync(_many, service, found, places, statistic)


def _check_media_type(content_type: str) -> None:
    if content_type.split(";")[0].strip().lower() != JSON:
        raise UnsupportedBody(
            expected=f"a body of type {JSON}", got=f"{content_type[:80]!r}", remedy="send a JSON array of places"
        )


def _read(body: Bytes) -> list[PlaceQuestion]:
    """The places in a body, parsed by hand: FastAPI answers 400 to deep nesting or too many digits."""
    measure(body, _LIMITS)
    try:
        return _PLACES.validate_json(body)
    except ValidationError as error:
        expected, got = first_fault(error.errors(include_url=False))
        raise InvalidRequest(
            expected=expected, got=got, remedy=f'send 1 to {MOST_PLACES} of {{"lat": 52.5, "lon": 13.4}}'
        ) from None


def _one(service: Service, run: Run, lat: float, lon: float, minutes_ago: int, statistic: Statistic) -> str:
    earlier = service.reader.earlier(run)
    (rain,) = describe_places(service.reader, run, earlier, [lat], [lon], minutes_ago, statistic)
    return _joined(_source(run, earlier, statistic), Place(name=None, lat=lat, lon=lon), rain)


def _minutes_ago(found: Found) -> int:
    """Whole minutes from the run's reference time to now, at most to its end: the answer does not change after that."""
    return min((found.asked_at - found.run.reference_time) // timedelta(minutes=1), ahead_of(found.run))


def _many(service: Service, found: Found, places: Sequence[PlaceQuestion], statistic: Statistic) -> Response:
    earlier = service.reader.earlier(found.run)
    lat, lon = [place.lat for place in places], [place.lon for place in places]
    described = describe_places(service.reader, found.run, earlier, lat, lon, _minutes_ago(found), statistic)
    listed = [_joined(place, rain) for place, rain in zip(places, described, strict=True)]
    source = json_of(_source(found.run, earlier, statistic))
    return _json(found, statistic, f'{source[:-1]}, "points": [{", ".join(listed)}]}}')


def _joined(*parts: BaseModel) -> str:
    """The JSON of one answer, joined from parts with some of the fields each."""
    return json.dumps({name: value for part in parts for name, value in part.model_dump().items()})


def _source(run: Run, earlier: Sequence[Run], statistic: Statistic) -> PlacesSource:
    return PlacesSource(
        run=run.id,
        product=run.product,
        grid=run.grid.key,
        reference_time=iso(run.reference_time),
        timestep_minutes=run.timestep_minutes,
        model=run.model,
        version=run.version,
        method=run.method,
        statistic=statistic,
        history_times=[iso(time) for time in run.history_times],
        attribution=attribution(run.product),
        probability_method=method_of(run),
        probability_runs=[run.id, *(other.id for other in earlier)],
    )


def _json(found: Found, statistic: Statistic, text: str) -> Response:
    """An answer: the changing fields first, then its possibly cached text."""
    age = age_seconds(found.run.reference_time, found.asked_at)
    changing = json_of(PlacesChanging(age_seconds=age, degraded=found.degraded))
    brief = found._replace(keep_seconds=min(found.keep_seconds or 0, _MINUTE_SECONDS))
    headers = {"Cache-Control": brief.cache_control, Own.STATISTIC: statistic}
    return Response(f"{changing[:-1]}, {text[1:]}", headers=headers, media_type=JSON)
