"""What routes work with, made once by `service.app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, cast

from fastapi import Depends, Request

from service.catalogue import Catalogue
from service.drain import Drain
from service.last_good import History
from service.model_watch import ModelWatch
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
    """

    catalogue: Catalogue
    history: History
    worker: Worker
    provider: str
    store_kind: str
    clock: Callable[[], datetime] = now_utc
    model_watch: ModelWatch | None = None
    drain: Drain = field(default_factory=Drain)


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


Parts = Annotated[Service, Depends(_service)]
"""A route's parameter of this type gets the service's parts."""
