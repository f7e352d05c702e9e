"""An id, a line in the log and metrics for every request."""

from __future__ import annotations

import logging
import time
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.root_path import OPEN_PATHS, route_path
from service.monitoring.metrics import Metrics
from service.monitoring.request_id import RequestState, begin, request_id

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})
"""Routes that machines request every few seconds."""
_logger = logging.getLogger("raincell.access")


class RequestLog:
    """ASGI middleware around all others; a valid X-Request-ID of the caller is used and returned."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._answered = lru_cache(maxsize=1024)(metrics.requests.labels)
        self._took = lru_cache(maxsize=1024)(metrics.request_seconds.labels)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and log its outcome."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = begin(scope, Headers(scope=scope).get("x-request-id"))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", exchange.request_id.encode())]
            await send(message)

        token, start = request_id.set(exchange.request_id), time.perf_counter()
        try:
            with self._metrics.in_flight.track_inprogress():
                await self._app(scope, receive, sending)
        finally:
            self._note(scope, exchange, time.perf_counter() - start)
            request_id.reset(token)

    def _note(self, scope: Scope, exchange: RequestState, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = route_template(scope)
        self._answered(method, route, str(exchange.status)).inc()
        self._took(method, route).observe(seconds)
        about = {"method": method, "route": route, "status": exchange.status, "ms": round(1000 * seconds, 1)}
        level = logging.DEBUG if route_path(scope) in _QUIET else logging.INFO
        message = f"{method} {route} {exchange.status} in {1000 * seconds:.1f} ms"
        _logger.log(level, message, extra={**about, "key": exchange.key})


def route_template(scope: Scope) -> str:
    """E.g. /frames/{product}/{time}; "none" without a route: the number of paths that callers send is unlimited."""
    path = route_path(scope)
    if path in OPEN_PATHS:
        return path
    return str(getattr(scope.get("route"), "path", None) or "none")
