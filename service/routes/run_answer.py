"""Common parts of the routes of runs: the choice of the run, and cacheable answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, NamedTuple

from anyio.to_thread import run_sync
from fastapi import Path, Query, Request, Response

from models.exceedance.odds import Statistic
from radar.errors import InvalidRequest
from radar.sequence import iso
from service.answers.formats import JSON, Chosen, disposition
from service.answers.headers import changing_headers, headers_of
from service.answers.large import BUFFERED_BYTES, Content, LargeResponse, size_of
from service.answers.run import Part, file_words
from service.answers.writers import Writer
from service.connections.held_bytes import account_of
from service.context import Service
from service.errors import NoRunYet
from service.http.caching import BRIEFLY_SECONDS, IMMUTABLE, entity_tag, unchanged, validators
from service.http.ranges import part_asked_for
from service.runs.inputs import together
from service.runs.odds.offered import check_observed, check_run
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
    """The run of a request, remarks on it, and how long the answer may be cached.

    `keep_seconds` is None for an answer that never changes.
    """

    run: Run
    degraded: str | None
    asked_at: datetime
    keep_seconds: int | None = None

    @property
    def cache_control(self) -> str:
        """The header of that name."""
        return IMMUTABLE if self.keep_seconds is None else f"max-age={self.keep_seconds}"


class _Written(NamedTuple):
    content: Content
    headers: dict[str, str]
    size: int


async def latest(service: Service, product: str | None, grid: str | None, model: str | None = None) -> Found:
    """The latest run; raises as `Latest.find` and `Catalogue.get`, and for a model that makes no runs."""
    reading = service.latest.at_hand(product, grid)
    if reading is None:
        try:
            reading = await run_sync(service.latest.find, product, grid)
        except NoRunYet:
            service.catalogue.get(None)  # raises if the model that makes runs is gone: then no run will come
            raise
    run = reading.value
    _check_model(service, run, model)
    now = service.clock()
    keep_seconds = until_next_run(run, now)
    if reading.degraded:
        keep_seconds = min(keep_seconds, BRIEFLY_SECONDS)
    return Found(run, together(_stale(run, now), run.degraded, reading.degraded), now, keep_seconds)


def _check_model(service: Service, run: Run, model: str | None) -> None:
    """Raise UnknownModel for an unknown model, InvalidRequest for one that makes no runs."""
    if model is None or model == run.model:
        return
    service.catalogue.get(model)
    raise InvalidRequest(
        expected=f"model={run.model}, which makes the runs here",
        got=repr(model[:60]),
        remedy="use it with POST /predict; the operator chooses the model of runs by RAINCELL_DEFAULT_MODEL",
    )


def _stale(run: Run, now: datetime) -> str | None:
    """A remark on the latest run once its end has passed; else None."""
    return f"stale: the latest run ended at {iso(run.end)}, and no newer frames have come" if run.end <= now else None


async def named(service: Service, run_id: str) -> Found:
    """A run by its id; raises UnknownRun, RunExpired or StoreUnavailable."""
    run = service.reader.at_hand(run_id)
    if run is None:
        run = await run_sync(service.reader.index, run_id)
    return Found(run, run.degraded, service.clock())


def window(run: Run, bbox: str | None) -> Window:
    """The requested part of the run's grid."""
    return WHOLE if bbox is None else window_of(run.grid, parse_bbox(bbox))


def check_minutes(run: Run, minutes: int, known: tuple[int, ...]) -> int:
    """The minutes; raises InvalidRequest unless the run has such a frame, as POST /predict does."""
    if minutes not in known:
        raise InvalidRequest(
            expected="minutes of one of the run's frames, " + ", ".join(map(str, known)),
            got=str(minutes),
            remedy=f"ask for one of them; GET /nowcast/{run.id} lists them",
        )
    return minutes


def statistic_of(run: Run, minutes: int, statistic: Statistic) -> Statistic | None:
    """The statistic of a run's frame, None for an observed one; raises NoDistribution for one that it lacks."""
    if minutes <= 0:
        check_observed(statistic, minutes)
        return None
    check_run(run, statistic)
    return statistic


async def answer(
    request: Request,
    service: Service,
    found: Found,
    part: Part,
    chosen: Chosen[Writer],
    question: tuple[object, ...],
    make: Callable[[], Content],
    field: str = "",
) -> Response:
    """A part of a run as `make` writes it, or 304, or 206; written once for all requests with the same `question`.

    `field` is a part of the file's name, for fields other than rain.
    """
    run, media_type = found.run, chosen.media_type
    key = (run.id, part.degraded, part.minutes, repr(part.window), part.statistic, media_type, repr(question))
    written: _Written | None = service.answers.find(key)
    tag = written.headers["ETag"] if written else entity_tag(*key)
    now = found.asked_at
    changing = changing_headers(run.reference_time, now, found.cache_control, chosen.vary)
    if unchanged(request, tag, run.made_at):
        unchanging = {**validators(tag, run.made_at), **headers_of(part.provenance)}
        return Response(status_code=304, headers={**unchanging, **changing})
    account = account_of(request)
    if written is None:
        named = disposition(chosen.form, *file_words(part), field)
        while_made = 0 if media_type == JSON else _bytes_of(part)
        account.take(while_made)
        async with service.encoders:
            written = await run_sync(service.answers.get, key, lambda: _write(part, tag, named, make()))
        account.give(while_made)
    account.share(written.size, written.content)
    account.take(min(written.size, BUFFERED_BYTES))
    only = part_asked_for(request, tag, run.made_at, now, written.size)
    return LargeResponse(written.content, media_type, {**written.headers, **changing}, only)


def _bytes_of(part: Part) -> int:
    """Bytes of the fields as numbers, which every file and picture is made from, and of the odds that they are of."""
    rows, columns = part_of(part.run.grid, part.window).shape
    whole = part.run.grid.shape[0] * part.run.grid.shape[1]
    odds = 0 if part.statistic in (None, "matched") else len(part.run.thresholds) * whole  # of one lead at a time
    return 4 * len(part.minutes) * rows * columns + odds


def _write(part: Part, tag: str, named: dict[str, str], content: Content) -> tuple[_Written, int]:
    """An answer for the cache, and its size."""
    headers = {**validators(tag, part.run.made_at), **headers_of(part.provenance), **named}
    size = size_of(content)
    return _Written(content, headers, size), size + _HEADERS_SIZE


def until_next_run(run: Run, now: datetime) -> int:
    """Seconds for which an answer with the latest run may be cached.

    They last until the next run is expected, one timestep after this one was made, but not beyond this run's end, after
    which it is marked as stale.
    """
    step = timedelta(minutes=run.timestep_minutes)
    left = min(run.made_at + step - now, step).total_seconds()
    seconds = BRIEFLY_SECONDS if run.interim else max(BRIEFLY_SECONDS, int(left))
    ending = (run.end - now).total_seconds()
    return min(seconds, int(ending)) if ending > 0 else BRIEFLY_SECONDS
