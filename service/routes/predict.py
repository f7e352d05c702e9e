"""POST /predict: a radar sequence in, predicted frames out."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Query, Request, Response

from service.answers.arrays import Encoding
from service.answers.formats import Format, choose_form
from service.answers.render import JSON, MEDIA_TYPES, WRITERS, render
from service.answers.schema import NowcastAnswer
from service.bodies.client_disconnect import while_attended
from service.bodies.deadline import decode_attended
from service.bodies.read import receive
from service.connections.held_bytes import account_of
from service.context import Parts
from service.documentation.schemas import reference
from service.forecasting.predict import Question, bytes_of_forecast, dress, forecast, gather, steps_for
from service.http.problems import documented
from service.monitoring.timing import Timings
from service.routes.checked_route import CheckedRoute
from service.routes.query import FrameQuery, frames_body

router = APIRouter(tags=["nowcast"], route_class=CheckedRoute)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Predicted frames in mm/h, missing as null or NaN; images show the frame at `lead_minutes`",
        "content": {JSON: {"schema": reference(NowcastAnswer)}, **dict.fromkeys(WRITERS, _BINARY)},
    },
    **documented(404, 406, 408, 413, 415, 422, 500, 503),
}


@router.post("/predict", response_class=Response, responses=_ANSWERS, openapi_extra=frames_body(required=False))
async def predict(
    request: Request,
    service: Parts,
    query: Annotated[FrameQuery, Depends()],
    model: Annotated[str | None, Query(max_length=80, description="see GET /models; its default if not given")] = None,
    lead_minutes: Annotated[int, Query(ge=1, le=1440, description="a multiple of the model's timestep")] = 60,
    encoding: Annotated[Encoding, Query(description="of the frames in JSON")] = "base64",
    format: Format = None,  # noqa: A002 - as the query has it
    accept: Annotated[str | None, Header(description="one of " + ", ".join(MEDIA_TYPES))] = None,
) -> Response:
    """Forecast the frames that follow those in the body, or the newest stored ones of `product`."""
    chosen = choose_form(format, accept, MEDIA_TYPES)
    served = service.catalogue.get(model)
    card = served.forecaster.card
    steps = steps_for(card, lead_minutes)
    hints = query.hints(service.clock(), card.timestep_minutes, card.pixel_size_km)
    body = await receive(request)
    question = Question(served, steps, hints, body)
    timings = Timings(service.metrics.observe_work)
    with service.worker.admitted():
        decoding = service.decoding_of(request)
        work = timings.measured("decode", partial(gather, service, question, decoding))
        async with service.file_place(body):
            start = await decode_attended(request, decoding, work)
        account_of(request).take(start.posted.frames.rain_rate.nbytes + bytes_of_forecast(question, start))
        predicted, seconds = await while_attended(request, forecast(service.worker, question, start))
        timings.add("forecast", seconds)
        nowcast = dress(service, question, start, predicted)
        for shortfall in start.shortfalls:
            service.metrics.degraded.labels(shortfall).inc()
        response = await run_sync(timings.measured("encode", partial(render, nowcast, chosen.media_type, encoding)))
    response.headers["Server-Timing"] = timings.header()
    if chosen.vary:
        response.headers["Vary"] = chosen.vary
    return response
