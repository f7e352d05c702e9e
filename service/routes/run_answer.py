"""What the routes of runs have in common: which run is meant, and answers that may be kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, NamedTuple

from anyio.to_thread import run_sync
from fastapi import Path, Query, Request, Response

from radar.errors import InvalidRequest
from radar.sequence import iso
from service.answers.formats import Chosen, disposition
from service.answers.large import BUFFERED_BYTES, Content, LargeResponse, size_of
from service.answers.render import JSON
from service.answers.run import Part, age_seconds, file_words, headers_of
from service.caching import BRIEFLY, IMMUTABLE, entity_tag, unchanged, until_next_run, validators
from service.connections.held_bytes import account_of
from service.context import Service
from service.errors import UnknownFrame
from service.ranges import part_asked_for
from service.runs.inputs import together
from service.runs.reader import WHOLE, Window
from service.runs.region import parse_bbox, part_of, window_of
from service.runs.run import Run

Bbox = Annotated[
    str,
    Query(
        max_length=120,
        description="west,south,east,north in degrees: the part that covers it",
        examples=["13,52,14,53"],
    ),
]
_HEADERS_SIZE = 1000
RunPath = Annotated[str, Path(max_length=500, description="a run's id, as GET /nowcast gives it")]


class Found(NamedTuple):
    """The run that is meant, what is to be said about it, and how long the answer may be kept."""

    run: Run
    degraded: str | None
    cache_control: str


class _Written(NamedTuple):
    content: Content
    headers: dict[str, str]
    size: int


async def latest(service: Service, product: str | None, grid: str | None, model: str | None = None) -> Found:
    """The latest run; raises as `Latest.find`, and for a model by which no runs are made."""
    reading = service.latest.at_hand(product, grid)
    if reading is None:
        reading = await run_sync(service.latest.find, product, grid)
    run = reading.value
    _check_model(service, run, model)
    cache_control = BRIEFLY if reading.degraded else until_next_run(run, service.clock())
    return Found(run, together(run.degraded, reading.degraded), cache_control)


def _check_model(service: Service, run: Run, model: str | None) -> None:
    """Raise UnknownModel for a model that there is not, InvalidRequest for one by which no runs are made."""
    if model is None or model == run.model:
        return
    service.catalogue.get(model)
    raise InvalidRequest(
        expected=f"model={run.model}, which makes the runs here",
        got=repr(model[:60]),
        remedy="ask POST /predict with it; the operator chooses the model of runs by RAINCELL_DEFAULT_MODEL",
    )


def stale(run: Run, now: datetime) -> str | None:
    """What is said of a run whose end has passed."""
    end = run.valid_time(max(run.lead_minutes, default=0))
    return f"stale: the latest run ended at {iso(end)}, and no newer frames have come" if end <= now else None


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
    chosen: Chosen,
    question: tuple[object, ...],
    make: Callable[[], Content],
    field: str = "",
) -> Response:
    """A part of a run as `make` writes it, or 304, or 206; written once for all who ask the same `question`.

    `field` is what a file of it is called by besides, where it is not rain.
    """
    run, media_type = found.run, chosen.media_type
    key = (run.id, part.degraded, part.minutes, repr(part.window), media_type, repr(question))
    written: _Written | None = service.answers.find(key)
    tag = written.headers["ETag"] if written else entity_tag(*key)
    now = service.clock()
    told = {"Cache-Control": found.cache_control, "X-Raincell-Age-Seconds": str(age_seconds(run, now))}
    if chosen.vary:
        told["Vary"] = chosen.vary
    if unchanged(request, tag, run.made_at):
        return Response(status_code=304, headers={**validators(tag, run.made_at), **headers_of(part), **told})
    account = account_of(request)
    if written is None:
        named = disposition(media_type, *file_words(part), field)
        while_made = 0 if media_type == JSON else _bytes_of(part)
        account.take(while_made)
        async with service.encoders:
            written = await run_sync(service.answers.get, key, lambda: _write(part, tag, named, make()))
        account.give(while_made)
    account.share(written.size, written.content)
    account.take(min(written.size, BUFFERED_BYTES))
    only = part_asked_for(request, tag, run.made_at, now, written.size)
    return LargeResponse(written.content, media_type, {**written.headers, **told}, only)


def _bytes_of(part: Part) -> int:
    """Of the fields as numbers, which are made on the way to every file and picture."""
    rows, columns = part_of(part.run.grid, part.window).shape
    return 4 * len(part.minutes) * rows * columns


def _write(part: Part, tag: str, named: dict[str, str], content: Content) -> tuple[_Written, int]:
    """What is kept of an answer, and its size."""
    headers = {**validators(tag, part.run.made_at), **headers_of(part), **named}
    size = size_of(content)
    return _Written(content, headers, size), size + _HEADERS_SIZE
