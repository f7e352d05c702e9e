"""All middleware, in its order."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.routing import Mount, Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.connections.body_limits import BodyLimit
from service.connections.held_bytes import MEBIBYTE
from service.connections.time_limits import TimeLimits
from service.context import Service
from service.exposure import anonymous_scopes
from service.http.compressed_answers import CompressedAnswers
from service.http.compressed_bodies import DecompressedBodies
from service.http.forwarded_prefix import RootPath
from service.http.head import Head
from service.http.problems import UnexpectedErrors
from service.http.request_log import RequestLog
from service.http.root_path import check_prefix
from service.security.access import Access, Policy
from service.security.cors import CrossOrigin
from service.security.hosts import KnownHosts
from service.security.keys import KeyFile
from service.security.quotas import Quotas
from service.security.security_headers import SecurityHeaders
from service.settings import Settings
from service.shutdown import ShutdownMiddleware


def add_middleware(app: FastAPI, settings: Settings, service: Service) -> None:
    """Add all middleware from the inside out: each one wraps those before it."""
    largest = settings.max_body_mb * MEBIBYTE
    app.add_middleware(Head)
    # This limit counts decoded bytes; the other counts received ones, since empty streams decode to nothing.
    app.add_middleware(BodyLimit, largest=largest, together=settings.queue * largest, held=service.held)
    app.add_middleware(DecompressedBodies)
    app.add_middleware(BodyLimit, largest=largest)
    app.add_middleware(CompressedAnswers)
    app.add_middleware(Access, policy=_policy(settings, service.quotas), clock=service.clock)
    app.add_middleware(UnexpectedErrors)
    if settings.cors_origins:
        app.add_middleware(CrossOrigin, origins=settings.cors_origins)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(ShutdownMiddleware, state=service.shutdown)
    app.add_middleware(TimeLimits, seconds=settings.client_seconds, longest_seconds=settings.transfer_seconds)
    _add_proxies(app, settings)
    app.add_middleware(RequestLog, metrics=service.metrics)


def _add_proxies(app: FastAPI, settings: Settings) -> None:
    """Add the middleware for proxies' headers on callers and paths; it runs while the address is the proxy's."""
    if not (settings.trusted_proxies or settings.root_path):
        return
    taken = {route.path.split("/")[1] for route in app.router.routes if isinstance(route, Route | Mount)}
    prefix = check_prefix(settings.root_path, "RAINCELL_ROOT_PATH", taken)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    app.add_middleware(RootPath, prefix=prefix, proxies=settings.trusted_proxies, taken=taken)


def _policy(settings: Settings, quotas: Quotas) -> Policy:
    return Policy(
        keys=KeyFile(settings.api_keys) if settings.api_keys else None,
        anonymous=anonymous_scopes(settings),
        anonymous_per_minute=settings.anonymous_per_minute,
        origins=settings.cors_origins,
        hosts=KnownHosts(settings.hosts),
        quotas=quotas,
    )
