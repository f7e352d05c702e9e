"""The service put together from its parts. The one module that reads settings."""

from __future__ import annotations

import contextlib
from asyncio import create_task, gather
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from types import FrameType

import uvicorn
from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from models.onnx_forecaster import load_forecaster
from radar.errors import StoreUnavailable
from service.answers.run_schema import FieldAnswer, PlaceAnswer, RunAnswer, RunsPlacesAnswer
from service.answers.schema import NowcastAnswer
from service.bodies.json_body import JsonFrames
from service.body_limit import MEBIBYTE, BodyLimit
from service.catalogue import load_catalogue
from service.context import Service, now_utc
from service.demo import Demo
from service.documentation import add_schemas
from service.history import MemoryHistory
from service.last_good import History
from service.problems import Problem, add_handlers
from service.redis_history import RedisHistory
from service.routes import frames, health, models, nowcast, points, predict
from service.routes.points import PlaceQuestion
from service.runs.cache import Cache
from service.runs.latest import Latest
from service.runs.reader import RunReader
from service.runs.redis_runs import RedisRuns
from service.runs.runner import Runner
from service.runs.runs import Runs
from service.runs.store import MemoryRuns
from service.settings import Settings, check_exposure
from service.worker import Worker

_REMEMBERED_RUNS = 2
"""Runs of each series that a replica remembers for when Redis is away."""
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
        lifespan=partial(_lifespan, run_demo=settings.demo),
        redoc_url=None,
    )
    app.state.service = service
    for group in (points, nowcast, predict, frames, models, health):  # the most asked for first
        app.include_router(group.router)
    largest = settings.max_body_mb * MEBIBYTE
    app.add_middleware(BodyLimit, largest=largest, together=settings.queue * largest)
    add_handlers(app)
    read_or_written_by_hand = (FieldAnswer, JsonFrames, NowcastAnswer, PlaceAnswer, PlaceQuestion, Problem, RunAnswer)
    add_schemas(app, (*read_or_written_by_hand, RunsPlacesAnswer))
    return app


def make_service(settings: Settings) -> Service:
    """The parts that routes work with."""
    catalogue = load_catalogue(settings.model_repository, partial(load_forecaster, provider=settings.provider))
    history, worker, runs = _history(settings), Worker(settings.queue), _runs(settings)
    cache = Cache(settings.cache_mb * MEBIBYTE)
    runner = Runner(history, runs, worker, catalogue, settings.run_lead_minutes, now_utc) if settings.runs else None
    return Service(
        catalogue=catalogue,
        history=history,
        worker=worker,
        provider=settings.provider,
        store_kind="redis" if settings.redis_url else "memory",
        runs=runs,
        latest=Latest(history, runs),
        reader=RunReader(runs, cache),
        answers=cache,
        runner=runner,
        clock=now_utc,
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
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, server_header=False, timeout_graceful_shutdown=30
    )
    _Server(config, on_exit=service.worker.stop).run()


class _Server(uvicorn.Server):
    """Tells the worker at once when it is asked to stop: the lifespan learns it only when all requests have ended."""

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._on_exit()
        super().handle_exit(sig, frame)


def _history(settings: Settings) -> History:
    retention = timedelta(minutes=settings.history_minutes)
    if settings.redis_url is None:
        return History(MemoryHistory(retention))
    return History(RedisHistory(settings.redis_url, retention), last_good=MemoryHistory(retention))


def _runs(settings: Settings) -> Runs:
    retention = timedelta(minutes=settings.run_minutes)
    if settings.redis_url is None:
        return Runs(MemoryRuns(retention))
    return Runs(RedisRuns(settings.redis_url, retention), last_good=MemoryRuns(retention, most=_REMEMBERED_RUNS))


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI, run_demo: bool) -> AsyncIterator[None]:
    service: Service = app.state.service
    tasks = []
    if run_demo:
        storm = Demo(service.history, service.clock)
        with contextlib.suppress(StoreUnavailable):
            await run_sync(storm.catch_up)
        tasks.append(create_task(storm.run()))
    if service.runner:
        tasks.append(create_task(service.runner.run()))
    yield
    for task in tasks:
        task.cancel()
    await gather(*tasks, return_exceptions=True)
    await run_sync(service.worker.close)


def _version() -> str:
    try:
        return version("raincell")
    except PackageNotFoundError:
        return "0"
