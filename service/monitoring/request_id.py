"""The state of one request for log and metrics, kept in its ASGI scope."""

from __future__ import annotations

import random
import re
from contextvars import ContextVar
from dataclasses import dataclass

from starlette.types import Scope

_STATE = "raincell.exchange"
_ids = random.Random()  # noqa: S311 - to tell requests apart, not to keep them secret
_USABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the current request, for log records in the meantime."""


@dataclass
class RequestState:
    """One request.

    Parameters
    ----------
    request_id : str
    key : str or None
        The name of the API key; None without one.
    status : int
        Status of the answer; 499 until one is sent, which remains if the caller disconnected.
    """

    request_id: str
    key: str | None = None
    status: int = 499


def begin(scope: Scope, offered_id: str | None) -> RequestState:
    """Begin the state of a request under the caller's id, or under a new one."""
    usable = offered_id is not None and _USABLE_ID.fullmatch(offered_id)
    exchange = RequestState(offered_id if usable and offered_id else f"{_ids.getrandbits(64):016x}")
    scope[_STATE] = exchange
    return exchange


def request_state_of(scope: Scope) -> RequestState:
    """The state of the request."""
    found: RequestState = scope[_STATE]
    return found
