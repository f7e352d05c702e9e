"""POST /predict from question to answer: what the route does, without HTTP's details."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from models.card import ModelCard
from radar.errors import InvalidRequest
from radar.sequence import FrameSequence
from service import demo
from service.answers.nowcast import Nowcast
from service.bodies.limits import MOST_VALUES
from service.bodies.posted import Hints, Posted
from service.bodies.read import Body, decode
from service.catalogue import ServedModel
from service.context import Service
from service.history import choose_series
from service.last_good import Reading
from service.worker import Done, Worker

MOST_ANSWERED_VALUES = 2 * MOST_VALUES
DWD_PRODUCTS = frozenset({"RY", "YW", "RX", "RW", "RZ", "RV", "RQ", "RE", "EY"})


@dataclass(frozen=True)
class Question:
    """What a caller asks: which model, how far, and from what frames."""

    model: ServedModel
    steps: int
    hints: Hints
    body: Body | None


def steps_for(card: ModelCard, lead_minutes: int) -> int:
    """Timesteps to a lead time; raises InvalidRequest unless it is a multiple that the model reaches."""
    step, longest = card.timestep_minutes, card.longest_lead_minutes
    if lead_minutes % step or not step <= lead_minutes <= longest:
        raise InvalidRequest(
            expected=f"lead_minutes a multiple of {step}, from {step} to {longest}, for model {card.name}",
            got=str(lead_minutes),
            remedy="ask for another lead time, or another model",
        )
    return lead_minutes // step


def gather(service: Service, question: Question) -> tuple[Posted, str | None]:
    """The frames to start from, of the body or else of the history, and why they may be less than they should be."""
    if question.body is not None:
        posted = decode(question.body, question.hints, service.decoders.read)
        kept = _newest(posted.frames, question.model.forecaster.input_length)
        return replace(posted, frames=kept), None
    reading = _stored(service, question)
    return Posted(reading.value), reading.degraded


async def forecast(worker: Worker, question: Question, history: FrameSequence) -> Done[FrameSequence]:
    """The model's answer, worked out by the worker together with those to others who ask for the same of it."""
    if history.rain_rate[0].size * question.steps > MOST_ANSWERED_VALUES:
        raise InvalidRequest(
            expected=f"a forecast of at most {MOST_ANSWERED_VALUES} values",
            got=f"{question.steps} frames of {history.rain_rate[0].size}",
            remedy="ask for a shorter lead time",
        )
    forecaster = question.model.forecaster
    kind = (forecaster, question.steps, history.grid.shape)
    return await worker.run_together(kind, history, partial(forecaster.forecast_batch, steps=question.steps))


def dress(
    service: Service, question: Question, posted: Posted, predicted: FrameSequence, degraded: str | None
) -> Nowcast:
    """The forecast with all that the answer says about it."""
    card = question.model.forecaster.card
    return Nowcast(
        forecast=predicted,
        model=card,
        history_times=posted.frames.last(card.input_length).valid_times,
        made_at=service.clock(),
        attribution=attribution(predicted.product),
        degraded=degraded,
        assumed=posted.assumed,
    )


def attribution(product: str) -> str | None:
    """Whose data it is; None where the product is not known to be anybody's."""
    if product == demo.PRODUCT:
        return "Synthetic rain made by Raincell (RAINCELL_DEMO), not an observation"
    return "Data basis: Deutscher Wetterdienst" if product in DWD_PRODUCTS else None


def _newest(frames: FrameSequence, count: int) -> FrameSequence:
    """The frames that the model reads, alone: a view would keep all that were sent in memory until the answer."""
    kept = frames.last(count)
    return replace(kept, rain_rate=kept.rain_rate.copy()) if len(frames) > count else frames


def _stored(service: Service, question: Question) -> Reading[FrameSequence]:
    hints = question.hints
    if not hints.product:
        raise InvalidRequest(
            expected="frames in the body, or product= to start from the stored history",
            got="neither",
            remedy="curl -F frames=@FILE ..., or add product=RY to the query (GET /frames lists what is stored)",
        )
    if hints.valid_time or hints.timestep_minutes:
        raise InvalidRequest(
            expected="no valid_time or timestep_minutes without a body",
            got="one",
            remedy="leave it away: the forecast starts from the newest stored frame",
        )
    series = choose_series(service.history.products().value, hints.product, hints.grid)
    return service.history.latest(series, question.model.forecaster.input_length)
