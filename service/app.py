"""The service put together from its parts. The one module that reads settings."""

from __future__ import annotations

import contextlib
from asyncio import create_task
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import uvicorn
from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from models.onnx_forecaster import load_forecaster
from radar.errors import StoreUnavailable
from service.answers.schema import NowcastAnswer
from service.bodies.json_body import JsonFrames
from service.body_limit import MEBIBYTE, BodyLimit
from service.coded_answer import CodedAnswer
from service.context import Service, now_utc
from service.decoded_body import DecodedBody
from service.demo import Demo
from service.documentation import add_schemas
from service.drain import Draining, DrainingServer
from service.history import MemoryHistory
from service.last_good import History
from service.model_watch import ModelWatch
from service.problems import Problem, add_handlers
from service.redis_history import RedisHistory
from service.routes import frames, health, models, predict
from service.settings import Settings, check_exposure
from service.worker import Worker

_DESCRIPTION = "Rain nowcasts from weather radar. Rates are mm/h, times UTC; missing is null or NaN, never 0."


def create_app(settings: Settings) -> FastAPI:
    """The application, with its models loaded, proved and warm.

    Raises
    ------
    ArtifactRejected, ProviderMissing
        See `models.onnx_forecaster.load_forecaster`.
    """
    service = make_service(settings)
    # /docs without a content network: forecast offices close their machines off.
    app = FastAPIOffline(
        title="Raincell",
        version=_version(),
        description=_DESCRIPTION,
        lifespan=partial(_lifespan, settings=settings),
        redoc_url=None,
    )
    app.state.service = service
    for group in (predict, frames, models, health):
        app.include_router(group.router)
    largest = settings.max_body_mb * MEBIBYTE
    app.add_middleware(BodyLimit, largest=largest, together=settings.queue * largest)
    app.add_middleware(DecodedBody)  # outside of the limit, which counts what bodies decode to
    app.add_middleware(CodedAnswer)
    app.add_middleware(Draining, drain=service.drain)
    add_handlers(app)
    add_schemas(app, (JsonFrames, NowcastAnswer, Problem))
    return app


def make_service(settings: Settings) -> Service:
    """The parts that routes work with."""
    watch = ModelWatch(settings.model_repository, partial(load_forecaster, provider=settings.provider))
    return Service(
        catalogue=watch.catalogue,
        history=_history(settings),
        worker=_worker(settings),
        provider=settings.provider,
        store_kind="redis" if settings.redis_url else "memory",
        clock=now_utc,
        model_watch=watch,
    )


def serve(settings: Settings) -> None:
    """Serve until told to stop.

    Raises
    ------
    Exposed
        See `service.settings.check_exposure`.
    """
    check_exposure(settings)
    app = create_app(settings)
    service: Service = app.state.service
    config = uvicorn.Config(app, host=settings.host, port=settings.port, server_header=False)
    DrainingServer(config, service.drain, service.worker, settings.shutdown_seconds).run()


def _worker(settings: Settings) -> Worker:
    return Worker(
        settings.queue,
        deadline_seconds=settings.deadline_seconds,
        batch_size=settings.batch_size,
        batch_wait_seconds=settings.batch_wait_ms / 1000,
    )


def _history(settings: Settings) -> History:
    retention = timedelta(minutes=settings.history_minutes)
    if settings.redis_url is None:
        return History(MemoryHistory(retention))
    return History(RedisHistory(settings.redis_url, retention), last_good=MemoryHistory(retention))


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
    yield
    for task in tasks:
        task.cancel()
    await run_sync(service.worker.close, 1.0)  # nobody waits for what it may still be at


def _version() -> str:
    try:
        return version("raincell")
    except PackageNotFoundError:
        return "0"
