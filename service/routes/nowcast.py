"""GET /nowcast: runs, their frames and their probabilities."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request, Response

from models.exceedance.odds import Statistic
from service.answers.field import Encoding
from service.answers.formats import JSON, Chosen, choose_form
from service.answers.run import Part, frames_content, index_json, probability_content
from service.answers.run_schema import RunAnswer
from service.answers.schema import FieldAnswer, NowcastAnswer
from service.answers.writers import WRITERS, Writer
from service.context import Parts, Service
from service.http.problems import documented
from service.http.root_path import root_path_of
from service.routes.query import Accept, Format, GridName, ModelName, Product, StatisticName, written_content
from service.routes.remembered_route import RememberedRoute
from service.routes.run_answer import Bbox, Found, RunPath, answer, check_minutes, latest, named, statistic_of, window
from service.runs.run import Run

router = APIRouter(prefix="/nowcast", tags=["nowcast"], route_class=RememberedRoute)

LeadMinutes = Annotated[
    int | None,
    Query(
        ge=-1440,
        le=1440,
        description="how far the forecast reaches, in minutes; an image shows its last frame, an hour ahead, or the"
        " last, if not given; 0 and below, for images only: a frame of the past",
    ),
]
FrameEncoding = Annotated[Encoding, Query(description="of the frames in JSON")]
Minutes = Annotated[int, Path(ge=-1440, le=1440, description="lead time; 0 and below: observed", examples=[30])]
Lead = Annotated[int, Path(ge=1, le=1440, description="lead time in minutes", examples=[30])]
Threshold = Annotated[Literal["0.1", "1", "5", "10"], Query(description="mm/h")]
_USUAL_PICTURE_MINUTES = 60


def _answers(schema: type[Any], description: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    unchanged: dict[int | str, dict[str, Any]] = {
        206: {"description": "The bytes requested by Range"},
        304: {"description": "Unchanged, by the entity tag or the time in the request"},
    }
    return {
        200: {"description": description, "content": written_content(schema)},
        **unchanged,
        **documented(*statuses, 416),
    }


_WHOLE = "The run's index; in other media types all its frames, in images one"


@router.get("", response_class=Response, responses=_answers(RunAnswer, _WHOLE, 404, 406, 422, 500, 503))
async def latest_run(
    request: Request,
    service: Parts,
    product: Product | None = None,
    grid: GridName | None = None,
    model: ModelName | None = None,
    bbox: Bbox | None = None,
    lead_minutes: LeadMinutes = None,
    statistic: StatisticName = "matched",
    format: Format = None,  # noqa: A002 - as the query has it
    accept: Accept = None,
) -> Response:
    """The latest run of a product, by default of the only one: its index, or all its frames."""
    chosen = choose_form(format, accept, WRITERS)
    found = await latest(service, product, grid, model)
    return await _whole(request, service, found, chosen, bbox, lead_minutes, statistic)


@router.get("/{run}", response_class=Response, responses=_answers(RunAnswer, _WHOLE, 404, 406, 410, 422, 500, 503))
async def one_run(
    request: Request,
    service: Parts,
    run: RunPath,
    bbox: Bbox | None = None,
    lead_minutes: LeadMinutes = None,
    statistic: StatisticName = "matched",
    format: Format = None,  # noqa: A002 - as the query has it
    accept: Accept = None,
) -> Response:
    """A run by its id: its index, or all its frames. It never changes."""
    chosen = choose_form(format, accept, WRITERS)
    return await _whole(request, service, await named(service, run), chosen, bbox, lead_minutes, statistic)


@router.get(
    "/{run}/frames/{minutes}",
    response_class=Response,
    responses=_answers(NowcastAnswer, "The frame in mm/h", 404, 406, 410, 422, 500, 503),
)
async def frame(
    request: Request,
    service: Parts,
    run: RunPath,
    minutes: Minutes,
    bbox: Bbox | None = None,
    statistic: StatisticName = "matched",
    encoding: FrameEncoding = "base64",
    format: Format = None,  # noqa: A002 - as the query has it
    accept: Accept = None,
) -> Response:
    """One frame of a run; frames of the past hour (0 and below) are observed."""
    chosen = choose_form(format, accept, WRITERS)
    found = await named(service, run)
    check_minutes(found.run, minutes, (*found.run.observed_minutes, *found.run.lead_minutes))
    part = Part(
        found.run, (minutes,), window(found.run, bbox), found.degraded, statistic_of(found.run, minutes, statistic)
    )
    return await _frames(request, service, found, part, chosen, encoding)


@router.get(
    "/{run}/probability/{lead}",
    response_class=Response,
    responses=_answers(FieldAnswer, "The probability, 0 to 1", 404, 406, 410, 422, 500, 503),
)
async def probability(
    request: Request,
    service: Parts,
    run: RunPath,
    lead: Lead,
    threshold: Threshold = "1",
    bbox: Bbox | None = None,
    encoding: FrameEncoding = "base64",
    format: Format = None,  # noqa: A002 - as the query has it
    accept: Accept = None,
) -> Response:
    """The probability that the rain rate is at or above a threshold at a lead time."""
    chosen = choose_form(format, accept, WRITERS)
    found = await named(service, run)
    check_minutes(found.run, lead, found.run.lead_minutes)
    part = Part(found.run, (lead,), window(found.run, bbox), found.degraded)
    earlier = await run_sync(service.reader.earlier, found.run)
    if not found.run.thresholds:
        # The pooled earlier runs expire before this one, so the answer is not permanent.
        found = found._replace(keep_seconds=60)
    question = ("probability", threshold, encoding, [other.id for other in earlier])
    make = partial(probability_content, service.reader, part, earlier, float(threshold), chosen.form, encoding)
    return await answer(request, service, found, part, chosen, question, make, f"probability-{threshold}mmh")


async def _whole(
    request: Request,
    service: Service,
    found: Found,
    chosen: Chosen[Writer],
    bbox: str | None,
    lead_minutes: int | None,
    statistic: Statistic,
) -> Response:
    run, cut = found.run, window(found.run, bbox)
    if chosen.form.one_frame:
        usual = min(_USUAL_PICTURE_MINUTES, run.lead_minutes[-1])
        known = (*run.observed_minutes, *run.lead_minutes)
        minutes: tuple[int, ...] = (check_minutes(run, usual if lead_minutes is None else lead_minutes, known),)
    else:
        minutes = _until(run, lead_minutes)
    part = Part(run, minutes, cut, found.degraded, statistic_of(run, minutes[-1], statistic))
    if chosen.media_type == JSON:
        root_path = root_path_of(request.scope)
        make = partial(index_json, part, root_path)
        return await answer(request, service, found, part, chosen, ("index", root_path), make)
    return await _frames(request, service, found, part, chosen, "base64")


def _until(run: Run, lead_minutes: int | None) -> tuple[int, ...]:
    """The lead times up to one of them; raises InvalidRequest if the run does not have it."""
    if lead_minutes is None:
        return run.lead_minutes
    check_minutes(run, lead_minutes, run.lead_minutes)
    return tuple(lead for lead in run.lead_minutes if lead <= lead_minutes)


async def _frames(
    request: Request, service: Service, found: Found, part: Part, chosen: Chosen[Writer], encoding: Encoding
) -> Response:
    make = partial(frames_content, service.reader, part, chosen.form, encoding)
    return await answer(request, service, found, part, chosen, ("frames", encoding), make)
