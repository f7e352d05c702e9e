"""Adding, listing and withdrawing frames of the history."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Path, Query, Request

from radar.errors import InvalidRequest, StoreUnavailable
from radar.quality import LIMITS
from radar.sequence import FrameSequence, iso
from service.answers.schema import HistoryAnswer, StoredAnswer, WithdrawnAnswer
from service.bodies.deadline import Decoding, decode_attended
from service.bodies.posted import Hints
from service.bodies.read import Body, decode, receive
from service.bodies.times import utc_time
from service.context import Parts, Service
from service.errors import FrameQuarantined, UnknownFrame
from service.history.codec import series_of
from service.history.quarantine import control_quality, entries_of
from service.http.own_headers import FROM_FEED
from service.http.problems import documented
from service.routes.checked_route import CheckedRoute
from service.routes.inventory import list_frames
from service.routes.query import FrameQuery, GridName, Product, frames_body
from service.security.access import who_asks

router = APIRouter(prefix="/frames", tags=["history"], route_class=CheckedRoute)

ProductPath = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,32}$", examples=["RY"])]
Force = Annotated[bool, Query(description="Store frames that quality control would reject: a true extreme")]
FromFeed = Annotated[
    Literal["1"] | None,
    Header(alias=FROM_FEED, description="1: the feed sends the frames"),
]
TimePath = Annotated[
    datetime, utc_time("time"), Path(description="UTC time of the frame", examples=["2017-08-16T01:15:00Z"])
]


@router.post(
    "",
    status_code=201,
    responses=documented(408, 413, 415, 422, 500, 503),
    openapi_extra=frames_body(required=True),
)
async def add_frames(
    request: Request,
    service: Parts,
    query: Annotated[FrameQuery, Depends()],
    force: Force = False,
    feed: FromFeed = None,
) -> StoredAnswer:
    """Add frames to the history, the input of all forecasts; a stored frame of the same time is replaced.

    If quality control rejects one of them (absurd, a jump, frozen), none is stored, unless `force` is set.
    """
    hints = query.hints(service.clock())
    body = await receive(request)
    if body is None:
        raise InvalidRequest(expected="frames in the body", got="an empty one", remedy="curl -F frames=@FILE ...")
    with service.worker.admitted(frames=True):
        decoding = service.decoding_of(request)
        work = partial(_store, service, body, hints, decoding, force, feed is not None, who_asks(request.scope))
        async with service.file_place(body):
            stored = await decode_attended(request, decoding, work)
    if service.runner:
        service.runner.wake()
    return stored


@router.get("", responses=documented(404, 422, 500, 503))
async def frames(service: Parts, product: Product | None = None, grid: GridName | None = None) -> HistoryAnswer:
    """List the stored frames and their gaps."""
    return await run_sync(list_frames, service, product, grid)


@router.delete("/{product}/{time}", responses=documented(404, 422, 500, 503))
async def withdraw_frame(service: Parts, product: ProductPath, time: TimePath) -> WithdrawnAnswer:
    """Withdraw a frame, on all grids."""
    if not await run_sync(service.history.withdraw, product, time):
        raise UnknownFrame(
            expected="a stored frame", got=f"{product} at {iso(time)}", remedy="GET /frames lists what is stored"
        )
    if service.runner:
        service.runner.wake()
    return WithdrawnAnswer(product=product, withdrawn=iso(time))


def _store(
    service: Service, body: Body, hints: Hints, decoding: Decoding, force: bool, fed: bool, who: str
) -> StoredAnswer:
    posted = decode(body, hints, partial(service.decoders.read, decoding=decoding), decoding.check)
    if not force:
        quarantine_flawed(service, posted.frames)
    service.history.append(posted.frames, who)
    with suppress(StoreUnavailable):  # the frames are stored; the feed's next frame marks the series again
        service.quarantine.clear(posted.frames.product, posted.frames.valid_times)
        if fed:
            service.history.mark_fed(series_of(posted.frames))
    return StoredAnswer(
        product=posted.frames.product,
        grid=posted.frames.grid.key,
        stored=[iso(time) for time in posted.frames.valid_times],
        assumed=list(posted.assumed),
    )


_logger = logging.getLogger("raincell")


def quarantine_flawed(service: Service, frames: FrameSequence) -> None:
    """Raise FrameQuarantined unless all frames are plausible, also compared with the stored one before them."""
    if not frames.product:  # the history refuses it with a better message
        return
    series = series_of(frames)
    before = service.history.before(series, frames.valid_times[0], LIMITS.frozen_within)
    try:
        control_quality(frames, before)
    except FrameQuarantined as error:
        for time, flaw in error.flaws.items():
            service.quarantined.add(flaw.reason)
            _logger.warning("quarantined %s at %s (%s): got %s", series.product, iso(time), flaw.reason, flaw.got)
        with suppress(StoreUnavailable):  # listed or not, it is refused
            for entry in entries_of(error, series, "post", service.clock()):
                service.quarantine.put(entry)
        raise
