"""What the routes of runs have in common: which run is meant, and answers that may be kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NamedTuple

from anyio.to_thread import run_sync
from fastapi import Path, Query, Request, Response

from service.answers.large import Content, LargeResponse
from service.answers.run import Part, headers_of
from service.caching import BRIEFLY, IMMUTABLE, entity_tag, unchanged, until_next_run, validators
from service.context import Service
from service.errors import UnknownFrame
from service.runs.inputs import together
from service.runs.reader import WHOLE, Window
from service.runs.region import parse_bbox, window_of
from service.runs.run import Run

Bbox = Annotated[
    str,
    Query(
        max_length=120,
        description="west,south,east,north in degrees: the part that covers it",
        examples=["13,52,14,53"],
    ),
]
RunPath = Annotated[str, Path(max_length=500, description="a run's id, as GET /nowcast gives it")]


class Found(NamedTuple):
    """The run that is meant, what is to be said about it, and how long the answer may be kept."""

    run: Run
    degraded: str | None
    cache_control: str


async def latest(service: Service, product: str | None, grid: str | None) -> Found:
    """The latest run; raises as `Latest.find`."""
    reading = service.latest.at_hand(product, grid)
    if reading is None:
        reading = await run_sync(service.latest.find, product, grid)
    run = reading.value
    cache_control = BRIEFLY if reading.degraded else until_next_run(run, service.clock())
    return Found(run, together(run.degraded, reading.degraded), cache_control)


async def named(service: Service, run_id: str) -> Found:
    """A run by its id; raises UnknownRun, RunExpired or StoreUnavailable."""
    run = service.reader.at_hand(run_id)
    if run is None:
        run = await run_sync(service.reader.index, run_id)
    return Found(run, run.degraded, IMMUTABLE)


def window(run: Run, bbox: str | None) -> Window:
    """The part of the run's grid that is asked for."""
    return WHOLE if bbox is None else window_of(run.grid, parse_bbox(bbox))


def check_minutes(run: Run, minutes: int, known: tuple[int, ...]) -> int:
    """The minutes; raises UnknownFrame unless the run has such a frame."""
    if minutes not in known:
        raise UnknownFrame(
            expected="one of the run's frames, at " + ", ".join(map(str, known)) + " minutes",
            got=str(minutes),
            remedy=f"see GET /nowcast/{run.id}",
        )
    return minutes


async def answer(
    request: Request,
    service: Service,
    found: Found,
    part: Part,
    media_type: str,
    question: tuple[object, ...],
    make: Callable[[], Content],
) -> Response:
    """A part of a run as `make` writes it, or 304; written once for all who ask the same `question`."""
    tag = entity_tag(found.run.id, part.degraded, part.minutes, part.window, media_type, *question)
    headers = {**validators(tag, found.run.made_at, found.cache_control), **headers_of(part, service.clock())}
    if unchanged(request, tag, found.run.made_at):
        return Response(status_code=304, headers=headers)
    content = service.answers.find(tag)
    if content is None:
        async with service.encoders:
            content = await run_sync(service.answers.get, tag, lambda: _sized(make()))
    return LargeResponse(content, media_type, headers)


def _sized(content: Content) -> tuple[Content, int]:
    return content, sum(part.nbytes if not isinstance(part, bytes) else len(part) for part in content)
