"""The parts that routes use, made once by `service.app`."""

from __future__ import annotations

import time
from asyncio import Semaphore
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import Depends, Request

from radar.system.cpus import usable_cpus
from service.bodies.deadline import Decoding
from service.bodies.hdf5_pool import Decoders
from service.bodies.read import MULTIPART, Body
from service.connections.held_bytes import MEBIBYTE, HeldBytes
from service.forecasting.catalogue import Catalogue
from service.forecasting.reload import ModelWatch
from service.forecasting.worker import ForecastThread
from service.history.history import History
from service.history.quarantine import Counts, MemoryQuarantine, QuarantineList
from service.monitoring.metrics import Metrics
from service.runs.cache import Cache
from service.runs.latest import Latest
from service.runs.reader import RunReader
from service.runs.runner import Runner
from service.runs.runs import Runs
from service.security.access import who_asks
from service.security.quotas import Quotas
from service.shutdown import ShutdownState
from service.verification.verification import Verification

_MOST_AT_WORK = min(4, max(2, usable_cpus()))
"""Threads at a kind of answer: more than there are processors only keep each other, and the event loop, waiting."""


def now_utc() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Service:
    """The parts of the running service.

    Parameters
    ----------
    runs, latest, reader, runner
        The stored runs, the latest of them, their reader, and their maker (None if other replicas make them).
    answers : Cache
        Encoded answers by their entity tags.
    encoders : Semaphore
        How many answers of runs may be made at a time; each takes memory until it is sent.
    place_readers : Semaphore
        The same of forecasts at places, which take milliseconds and wait for no large answer.
    clock : callable
        Returns the current time, UTC.
    quarantine : QuarantineList
        Rejected frames; with Redis, replicas and feed share the list.
    quotas : Quotas
        Counts the requests of each caller.
    quarantined : Counts
        Frames that this process rejected, counted by reason.
    metrics : Metrics
        Counters for GET /metrics.
    decoders : Decoders
        The child processes that read HDF5.
    file_places : Semaphore
        Limits how many bodies of files are decoded at a time: a few kilobytes may hold 128 MB of frames.
    held : HeldBytes
        The bodies and answers that are held for callers.
    verification : Verification or None
        Scores of the forecasts; None if verification is off.
    decode_seconds : float
        Time limit for decoding one body.
    """

    catalogue: Catalogue
    history: History
    worker: ForecastThread
    provider: str
    store_kind: str
    runs: Runs
    latest: Latest
    reader: RunReader
    answers: Cache
    runner: Runner | None = None
    clock: Callable[[], datetime] = now_utc
    model_watch: ModelWatch | None = None
    quarantine: QuarantineList = field(default_factory=MemoryQuarantine)
    quotas: Quotas = field(default_factory=Quotas)
    quarantined: Counts = field(default_factory=Counts)
    metrics: Metrics = field(default_factory=Metrics)
    decoders: Decoders = field(default_factory=Decoders)
    encoders: Semaphore = field(default_factory=lambda: Semaphore(_MOST_AT_WORK))
    place_readers: Semaphore = field(default_factory=lambda: Semaphore(_MOST_AT_WORK))
    shutdown: ShutdownState = field(default_factory=ShutdownState)
    file_places: Semaphore = field(default_factory=lambda: Semaphore(3))
    verification: Verification | None = None
    held: HeldBytes = field(default_factory=lambda: HeldBytes(512 * MEBIBYTE, 384 * MEBIBYTE, time.monotonic))
    decode_seconds: float = 60.0

    def file_place(self, body: Body | None) -> AbstractAsyncContextManager[object]:
        """A place to hold while files are decoded; arrays and JSON need none: they are no larger than their bodies."""
        return self.file_places if body and body.media_type == MULTIPART else nullcontext()

    def decoding_of(self, request: Request) -> Decoding:
        """The decoding of a request's body; its time begins now."""
        return Decoding(who_asks(request.scope), self.decode_seconds)


def service_of(request: Request) -> Service:
    """The parts of the application that a request belongs to."""
    return cast(Service, request.app.state.service)


async def _service(request: Request) -> Service:
    # async, although it awaits nothing: FastAPI would use a thread for each call of a plain function.
    return service_of(request)


Parts = Annotated[Service, Depends(_service)]
"""A route's parameter of this type receives the service's parts."""
