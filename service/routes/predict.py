"""POST /predict: a forecast from the radar frames in the body, or from stored ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Query, Request, Response

from models.card import ModelCard
from models.exceedance.forecaster import ExceedanceForecaster
from models.exceedance.odds import Statistic
from models.recurrent import RecurrentForecaster, check_fit
from radar.errors import InvalidRequest, UnknownProduct
from radar.products import attribution
from radar.sequence import FrameSequence, iso
from service.answers.field import Encoding
from service.answers.formats import choose_form
from service.answers.nowcast import Nowcast, render
from service.answers.schema import NowcastAnswer
from service.answers.writers import WRITERS
from service.bodies.client_disconnect import while_attended
from service.bodies.deadline import Decoding, decode_attended
from service.bodies.limits import MOST_ANSWERED_VALUES
from service.bodies.posted import Hints, Posted
from service.bodies.read import Body, decode, receive
from service.connections.held_bytes import account_of
from service.context import Parts, Service
from service.forecasting.catalogue import ServedModel
from service.forecasting.worker import Done, ForecastThread
from service.history.codec import SeriesKey
from service.history.series import unknown_product
from service.http.problems import documented
from service.monitoring.timing import Timings
from service.routes.checked_route import CheckedRoute
from service.routes.query import Accept, Format, FrameQuery, StatisticName, frames_body, written_content
from service.runs.inputs import collect_inputs, forecaster_for, together
from service.runs.odds.offered import check_model
from service.runs.run import Method

router = APIRouter(tags=["nowcast"], route_class=CheckedRoute)

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Predicted frames in mm/h, missing as null or NaN; images show the frame at `lead_minutes`",
        "content": written_content(NowcastAnswer),
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
    statistic: StatisticName = "matched",
    encoding: Annotated[Encoding, Query(description="of the frames in JSON")] = "base64",
    format: Format = None,  # noqa: A002 - as the query has it
    accept: Accept = None,
) -> Response:
    """Forecast the frames that follow those in the body, or the newest stored ones of `product`."""
    chosen = choose_form(format, accept, WRITERS)
    served = service.catalogue.get(model)
    card = served.forecaster.card
    steps = steps_for(card, lead_minutes)
    check_model(served.forecaster, "model", statistic)
    hints = query.hints(service.clock(), card.timestep_minutes, card.pixel_size_km)
    body = await receive(request)
    question = Question(served, steps, hints, body, statistic)
    timings = Timings(service.metrics.observe_work)
    with service.worker.admitted():
        decoding = service.decoding_of(request)
        work = timings.measured("decode", partial(collect, service, question, decoding))
        async with service.file_place(body):
            start = await decode_attended(request, decoding, work)
        account_of(request).take(start.posted.frames.rain_rate.nbytes + bytes_of_forecast(question, start))
        predicted, seconds = await while_attended(request, forecast(service.worker, question, start))
        timings.add("forecast", seconds)
        nowcast = dress(service, question, start, predicted)
        for shortfall in start.shortfalls:
            service.metrics.degraded.labels(shortfall).inc()
        response = await run_sync(timings.measured("encode", partial(render, nowcast, chosen, encoding)))
    response.headers["Server-Timing"] = timings.header()
    return response


@dataclass(frozen=True)
class Question:
    """A request for a forecast: the model, the number of timesteps, the input frames, and the statistic."""

    model: ServedModel
    steps: int
    hints: Hints
    body: Body | None
    statistic: Statistic


@dataclass(frozen=True)
class Start:
    """The input frames of a forecast, and their shortcomings.

    Parameters
    ----------
    posted : Posted
        Frames without gaps.
    observed : tuple of datetime
        The times of those that were observed.
    method : "model" or one of `models.baselines.STAND_INS`
        What the frames are enough for.
    degraded : str or None
        Why the forecast is degraded; None if it is not.
    shortfalls : tuple of str
        The same in words to count by: "store", "filled", or the name of the stand-in.
    """

    posted: Posted
    observed: tuple[datetime, ...]
    method: Method = "model"
    degraded: str | None = None
    shortfalls: tuple[str, ...] = ()


def steps_for(card: ModelCard, lead_minutes: int) -> int:
    """Timesteps to a lead time; raises InvalidRequest unless it is a multiple within the model's reach."""
    step, longest = card.timestep_minutes, card.longest_lead_minutes
    if lead_minutes % step or not step <= lead_minutes <= longest:
        raise InvalidRequest(
            expected=f"lead_minutes a multiple of {step}, from {step} to {longest}, for model {card.name}",
            got=str(lead_minutes),
            remedy="ask for another lead time, or another model",
        )
    return lead_minutes // step


def collect(service: Service, question: Question, decoding: Decoding) -> Start:
    """The input frames, from the body or else from the history."""
    if question.body is not None:
        posted = decode(
            question.body, question.hints, partial(service.decoders.read, decoding=decoding), decoding.check
        )
        kept = _newest(posted.frames, question.model.forecaster.input_length)
        return Start(replace(posted, frames=kept), kept.valid_times)
    return _stored(service, question)


async def forecast(worker: ForecastThread, question: Question, start: Start) -> Done[FrameSequence]:
    """The forecast of the model, or of its stand-in if frames are missing.

    The worker computes it together with waiting forecasts of the same kind.
    """
    history = start.posted.frames
    if history.rain_rate[0].size * question.steps > MOST_ANSWERED_VALUES:
        raise InvalidRequest(
            expected=f"a forecast of at most {MOST_ANSWERED_VALUES} values",
            got=f"{question.steps} frames of {history.rain_rate[0].size}",
            remedy="ask for a shorter lead time",
        )
    model, steps = question.model.forecaster, question.steps
    check_fit(model.card, history, steps)  # a model that does not fit the frames has no stand-in
    check_model(model, start.method, question.statistic)
    if start.method == "model":
        kind = (model, steps, history.grid.shape, question.statistic)
        return await worker.run_together(kind, history, partial(_batch, model, steps, question.statistic))
    stand_in = forecaster_for(start.method, len(history), model)
    return await worker.run_timed(lambda: stand_in.forecast(history, steps))


def _batch(
    model: RecurrentForecaster, steps: int, statistic: Statistic, histories: Sequence[FrameSequence]
) -> Sequence[FrameSequence]:
    """The forecasts of several callers who ask for the same statistic."""
    if isinstance(model, ExceedanceForecaster):
        return model.statistic_batch(histories, steps, statistic)
    return model.forecast_batch(histories, steps)


def bytes_of_forecast(question: Question, start: Start) -> int:
    """Bytes of the forecast's frames."""
    return 4 * min(int(start.posted.frames.rain_rate[0].size) * question.steps, MOST_ANSWERED_VALUES)


def dress(service: Service, question: Question, start: Start, predicted: FrameSequence) -> Nowcast:
    """The forecast with everything that the answer states about it."""
    card, now = question.model.forecaster.card, service.clock()
    return Nowcast(
        forecast=predicted,
        model=card.name,
        version=card.version,
        history_times=start.observed,
        made_at=now,
        attribution=attribution(predicted.product),
        degraded=together(_stale(question, predicted, now), start.degraded),
        assumed=start.posted.assumed,
        method=start.method,
        statistic=question.statistic,
    )


def _stale(question: Question, predicted: FrameSequence, now: datetime) -> str | None:
    """A remark on a forecast from stored frames that lies in the past; callers who send frames know their times."""
    end = predicted.valid_times[-1]
    if question.body is not None or end > now:
        return None
    return f"stale: the forecast from the newest stored frame ends at {iso(end)}, and no newer frames have come"


def _newest(frames: FrameSequence, count: int) -> FrameSequence:
    """A copy of the frames that the model reads: a view would keep all sent frames in memory until the answer."""
    kept = frames.last(count)
    return replace(kept, rain_rate=kept.rain_rate.copy()) if len(frames) > count else frames


def _stored(service: Service, question: Question) -> Start:
    hints = question.hints
    if hints.valid_time or hints.timestep_minutes:
        raise InvalidRequest(
            expected="no valid_time or timestep_minutes without a body",
            got="one",
            remedy="leave it out: the forecast starts from the newest stored frame",
        )
    series = _chosen_series(service, hints)
    model = question.model.forecaster
    reading = service.history.newest(series, model.input_length + 1)
    if not reading.value:  # withdrawn meanwhile
        raise unknown_product(series.product)
    inputs = collect_inputs(reading.value, model.input_length, model.name)
    degraded = together(reading.degraded, inputs.degraded)
    shortfalls = ("store",) * bool(reading.degraded) + inputs.shortfalls
    return Start(Posted(inputs.frames), inputs.observed, inputs.method, degraded, shortfalls)


def _chosen_series(service: Service, hints: Hints) -> SeriesKey:
    """The stored series to start from; raises InvalidRequest if none was sent or named, and there are several."""
    try:
        return service.latest.choose_now(hints.product, hints.grid)
    except (UnknownProduct, InvalidRequest):
        if hints.product or hints.grid or service.latest.default_product:
            raise
    raise InvalidRequest(
        expected="frames in the body, or product= to start from the stored history",
        got="neither",
        remedy="curl -F frames=@FILE ..., or add product=RY to the query (GET /frames lists what is stored)",
    )
