"""The list of stored frames for GET /frames and /readyz."""

from __future__ import annotations

from datetime import datetime

from radar.errors import StoreUnavailable
from radar.sequence import iso
from service.answers.schema import (
    HistoryAnswer,
    NewestFrame,
    QuarantinedAnswer,
    ReadyAnswer,
    RejectedModel,
    SeriesAnswer,
)
from service.context import Service
from service.forecasting.catalogue import Catalogue
from service.history.codec import SeriesKey
from service.history.quarantine import QuarantineEntry
from service.history.series import unknown_product
from service.history.store import gaps
from service.runs.inputs import together


def list_frames(service: Service, product: str | None, grid: str | None) -> HistoryAnswer:
    """Every series with its times and gaps; raises UnknownProduct for a product without frames."""
    known = service.history.products()
    wanted = [series for series in known.value if product in (None, series.product) and grid in (None, series.grid)]
    quarantined, unlisted = _quarantined(service, product, grid)
    if product is not None and not wanted and not quarantined:
        raise unknown_product(product)
    listed = [_describe(service, series) for series in wanted]
    return HistoryAnswer(
        series=[entry for entry in listed if entry], quarantined=quarantined, degraded=known.degraded or unlisted
    )


def readiness(service: Service) -> ReadyAnswer:
    """Whether the service can forecast; a store that does not answer is reported, but the service stays ready."""
    answers = service.history.answers()
    frames, degraded = _newest(service)
    return ReadyAnswer(
        ready=service.worker.alive and not service.shutdown.stopping,
        stopping=service.shutdown.stopping,
        models=list(service.catalogue.names),
        default_model=service.catalogue.default,
        rejected=rejected_models(service.catalogue),
        provider=service.provider,
        history="redis" if service.store_kind == "redis" else "memory",
        history_answers=answers,
        frames=frames,
        alerts=service.verification.active_alerts() if service.verification else [],
        degraded=together(service.catalogue.default_gone, degraded),
    )


def rejected_models(catalogue: Catalogue) -> list[RejectedModel]:
    """Champions that are not served, and why."""
    return [RejectedModel(**vars(rejection)) for rejection in catalogue.rejected]


def _newest(service: Service) -> tuple[list[NewestFrame], str | None]:
    try:
        known = service.history.products()
        found = [(series, service.history.times(series).value[-1:]) for series in known.value]
    except StoreUnavailable:
        return [], "history store unavailable"
    frames = [
        NewestFrame(product=product, grid=grid, newest=iso(times[0]), age_seconds=_age(service, times[0]))
        for (product, grid), times in found
        if times
    ]
    return frames, known.degraded


def _quarantined(service: Service, product: str | None, grid: str | None) -> tuple[list[QuarantinedAnswer], str | None]:
    """The rejected frames, and why the list may be incomplete."""
    try:
        entries = service.quarantine.entries()
    except StoreUnavailable:
        return [], "history store unavailable: quarantined frames not listed"
    wanted = [entry for entry in entries if product in (None, entry.product) and grid in (None, entry.grid)]
    return [_quarantined_answer(entry) for entry in wanted], None


def _quarantined_answer(entry: QuarantineEntry) -> QuarantinedAnswer:
    return QuarantinedAnswer(
        **entry.model_dump(exclude={"time", "noted_at"}),
        time=iso(entry.time) if entry.time else None,
        noted_at=iso(entry.noted_at),
    )


def _describe(service: Service, series: SeriesKey) -> SeriesAnswer | None:
    times = service.history.times(series).value
    step = service.history.timestep_minutes(series)
    if not times or not step:  # withdrawn meanwhile
        return None
    return SeriesAnswer(
        product=series.product,
        grid=series.grid,
        timestep_minutes=step,
        newest=iso(times[-1]),
        age_seconds=_age(service, times[-1]),
        times=[iso(time) for time in times],
        gaps=[iso(time) for time in gaps(times, step)],
    )


def _age(service: Service, time: datetime) -> int:
    return round((service.clock() - time).total_seconds())
