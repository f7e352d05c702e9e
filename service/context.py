"""What routes work with, made once by `service.app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import Depends, Request

from service.catalogue import Catalogue
from service.decoders import Decoders
from service.last_good import History
from service.metrics import Metrics
from service.worker import Worker


def now_utc() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Service:
    """The parts of the running service.

    Parameters
    ----------
    clock : callable
        The time now, UTC.
    metrics : Metrics
        What is counted, for GET /metrics.
    decoders : Decoders
        The child processes that read HDF5.
    """

    catalogue: Catalogue
    history: History
    worker: Worker
    provider: str
    store_kind: str
    clock: Callable[[], datetime] = now_utc
    metrics: Metrics = field(default_factory=Metrics)
    decoders: Decoders = field(default_factory=Decoders)


async def _service(request: Request) -> Service:
    # async, although it waits for nothing: FastAPI would take a thread for each call of a plain function.
    return cast(Service, request.app.state.service)


Parts = Annotated[Service, Depends(_service)]
"""A route's parameter of this type gets the service's parts."""
