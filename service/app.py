"""The service, assembled from its parts. Only this module and the commands read settings."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
from asyncio import create_task, wait
from collections.abc import AsyncIterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

import uvicorn
from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from models.onnx_forecaster import load_forecaster
from radar.errors import StoreUnavailable, UnknownModel
from radar.grid import KNOWN_GRIDS
from service.answers.run_schema import PlaceAnswer, RunAnswer, RunsPlacesAnswer
from service.answers.schema import FieldAnswer, NowcastAnswer
from service.bodies.hdf5_pool import Decoders
from service.bodies.json_body import JsonFrames
from service.connections.bounds import connection_limits, held_bytes
from service.connections.connection import Connection
from service.connections.held_bytes import MEBIBYTE
from service.connections.open_files import most_connections
from service.context import Service, now_utc
from service.damage import Damage
from service.exposure import check_exposure
from service.feed.demo import Demo
from service.forecasting.catalogue import Catalogue
from service.forecasting.reload import ModelWatch
from service.forecasting.worker import ForecastThread
from service.history.quarantine import Counts
from service.http.openapi import add_schemas
from service.http.problems import Problem, add_handlers
from service.middleware import add_middleware
from service.monitoring import log
from service.monitoring.metrics import Metrics
from service.routes import docs, frames, health, metrics, models, nowcast, points, predict, verification
from service.routes.docs import serve_assets
from service.routes.metrics import StateCollector, VerificationCollector
from service.routes.points import PlaceQuestion
from service.runs.cache import Cache
from service.runs.latest import Latest
from service.runs.reader import RunReader
from service.runs.runner import Runner
from service.security.openapi import add_security
from service.settings import Settings
from service.shutdown import ShutdownServer
from service.stores import open_stores
from service.unknown_settings import warn_of_unknown_settings
from service.verification import drift, input_watch
from service.verification.make import ServiceParts, make_verification
from service.verification.schema import VerificationAnswer
from service.verification.verification import Verification

_SWITCH_SECONDS = 0.001
"""How long a thread may keep the others waiting for the interpreter: the event loop asks for it after each system call,
and with Python's 5 ms a hundred calls beside busy threads take half a second."""
_LAST_SECONDS = 5.0
"""Seconds that shutdown waits for background work."""
_DESCRIPTION = "Rain nowcasts from weather radar. Rates are mm/h, times UTC; missing is null or NaN, never 0."


def create_app(settings: Settings) -> FastAPI:
    """The application, with its models loaded, checked and warm.

    Raises
    ------
    ArtifactRejected, ProviderMissing
        See `models.onnx_forecaster.load_forecaster`.
    """
    service = make_service(settings)
    # /docs without a content delivery network: machines in forecast offices have no access to the internet.
    app = FastAPIOffline(
        title="Raincell",
        version=_version(),
        description=_DESCRIPTION,
        lifespan=partial(_lifespan, settings=settings),
        docs_url=None,  # service.routes.docs
        redoc_url=None,
        redirect_slashes=False,  # service.http.unrouted
    )
    serve_assets(app)
    app.state.service = service
    groups = (points, nowcast, predict, frames, models, verification, health, metrics, docs)
    for group in groups:  # the most requested first
        # Not include_router, which takes a millisecond to match a dozen routes: groups have no settings of their own.
        app.router.routes.extend(group.router.routes)
    add_middleware(app, settings, service)
    add_handlers(app)
    read_or_written_by_hand = (FieldAnswer, JsonFrames, NowcastAnswer, PlaceAnswer, PlaceQuestion, Problem, RunAnswer)
    add_schemas(app, (*read_or_written_by_hand, RunsPlacesAnswer, VerificationAnswer))
    add_security(app)
    return app


def make_service(settings: Settings) -> Service:
    """The parts that routes use."""
    counts = Metrics()
    damage = Damage(lambda kind: counts.dropped_values.labels(kind).inc())
    load = partial(load_forecaster, provider=settings.provider)
    watch = ModelWatch(settings.model_repository, load)
    if settings.default_model is not None:
        _prefer(watch.catalogue, settings.default_model)
    stores, worker = open_stores(settings, damage), _worker(settings, counts)
    history, runs = stores.history, stores.runs
    cache = Cache(settings.cache_mb * MEBIBYTE, on_find=counts.observe_cache)
    lead = settings.run_lead_minutes
    verification = _verification(
        settings,
        ServiceParts(
            repository=settings.model_repository,
            catalogue=watch.catalogue,
            load=load,
            history=history,
            runs=runs,
            worker=worker,
            metrics=counts,
            clock=now_utc,
            unserved=stores.unserved,
            leases=stores.leases,
            references=stores.references,
            days=settings.verification_days,
            damage=damage,
        ),
    )
    runner = Runner(
        history,
        runs,
        worker,
        watch.catalogue,
        lead,
        now_utc,
        on_run=lambda how: counts.runs.labels(how).inc(),
        follow=verification.shadows.follow if verification else lambda _: None,
    )
    service = Service(
        catalogue=watch.catalogue,
        history=history,
        worker=worker,
        provider=settings.provider,
        store_kind=stores.kind,
        runs=runs,
        latest=Latest(history, runs, settings.default_product),
        reader=RunReader(runs, cache),
        answers=cache,
        runner=runner if settings.runs else None,
        clock=now_utc,
        model_watch=watch,
        quarantine=stores.quarantine,
        quotas=stores.quotas,
        quarantined=Counts(lambda reason: counts.quarantined_frames.labels(reason).inc()),
        metrics=counts,
        decoders=Decoders(on_end=lambda reason: counts.decoder_ends.labels(reason).inc()),
        verification=verification,
        held=held_bytes(settings),
        decode_seconds=settings.deadline_seconds,
    )
    counts.registry.register(StateCollector(service))
    if verification:
        counts.registry.register(VerificationCollector(verification))
    return service


def serve(settings: Settings) -> None:
    """Serve until a stop is requested.

    Raises
    ------
    Exposed
        See `service.exposure.check_exposure`.
    KeysRejected
        See `service.security.keys`.
    """
    log.set_up(settings.log_format)
    warn_of_unknown_settings(os.environ)  # before any refusal, since a mistyped name may be its cause
    check_exposure(settings)
    app = create_app(settings)
    service: Service = app.state.service
    service.decoders.start()
    for grid in KNOWN_GRIDS.values():  # the first place on a grid takes 150 ms, too long for a request
        grid.to_row_column(50.0, 10.0)
    connections, at_once = most_connections()
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        server_header=False,
        log_config=None,
        access_log=False,  # service.http.request_log writes it
        proxy_headers=False,  # service.middleware
        http=cast(Any, partial(Connection, limits=connection_limits(settings, connections))),
        ws="none",
        backlog=at_once,
    )
    _keep_loop_quick()
    ShutdownServer(config, service.shutdown, service.worker, settings.shutdown_seconds).run()
    if service.worker.alive:
        _leave()


def _keep_loop_quick() -> None:
    """What would stop the event loop for long: a look at all that the start left, and threads that do not let go."""
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_SWITCH_SECONDS)


def _leave() -> None:
    """End at once, with status 0, although the worker is still busy with an abandoned run.

    A normal exit of the interpreter ends threads when they request its lock, and C++ code then aborts the process.
    """
    logging.shutdown()
    os._exit(0)


def _prefer(catalogue: Catalogue, name: str) -> None:
    try:
        catalogue.prefer(name)
    except UnknownModel as error:
        remedy = f"correct RAINCELL_DEFAULT_MODEL; {error.remedy.removeprefix('see GET /models').lstrip('; ')}"
        raise UnknownModel(expected=error.expected, got=error.got, remedy=remedy.rstrip("; ")) from None


def _worker(settings: Settings, counts: Metrics) -> ForecastThread:
    return ForecastThread(
        settings.queue,
        deadline_seconds=settings.deadline_seconds,
        batch_size=settings.batch_size,
        batch_wait_seconds=settings.batch_wait_ms / 1000,
        on_batch=counts.batch_size.observe,
        on_drop=lambda why: counts.dropped_work.labels(why).inc(),
    )


def _verification(settings: Settings, parts: ServiceParts) -> Verification | None:
    if settings.verification is None:
        return None
    drifting = drift.DriftLimits(settings.drift_skill, settings.drift_hours, settings.drift_lead_minutes)
    usual = input_watch.InputLimits(settings.input_days, settings.input_margin)
    return make_verification(parts, settings.verification, drifting, usual)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    service: Service = app.state.service
    tasks = []
    if settings.demo:
        storm = Demo(service.history, service.clock)
        with contextlib.suppress(StoreUnavailable):
            await run_sync(storm.catch_up)
        tasks.append(create_task(storm.run()))
    if settings.watch_seconds and service.model_watch:
        tasks.append(create_task(service.model_watch.run(settings.watch_seconds)))
    if service.runner:
        tasks.append(create_task(service.runner.run()))
    if service.verification:
        tasks += [create_task(part.run()) for part in (service.verification.verifier, service.verification.shadows)]
    yield
    for task in tasks:
        task.cancel()
    if tasks:
        await wait(tasks, timeout=_LAST_SECONDS)
    await run_sync(service.worker.close, 1.0)  # its remaining work has no callers
    await run_sync(service.decoders.close)


def _version() -> str:
    try:
        return version("raincell")
    except PackageNotFoundError:
        return "0"
