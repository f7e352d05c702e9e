"""What every request passes through on its way to a route, and every answer on its way back."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.routing import Mount, Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.access import Access, Policy
from service.body_limit import BodyLimit
from service.coded_answer import CodedAnswer
from service.connections.held_bytes import MEBIBYTE
from service.context import Service
from service.cross_origin import CrossOrigin
from service.damage import Damage
from service.decoded_body import DecodedBody
from service.drain import Draining
from service.failures import Failures
from service.forwarded_prefix import RootPath
from service.head import Head
from service.hosts import KnownHosts
from service.keys import KeyFile
from service.limits import Quotas
from service.observed import Observed
from service.patience import Patience
from service.redis_limits import RedisLimits
from service.root_path import check_prefix
from service.security_headers import SecurityHeaders
from service.settings import Settings, anonymous_scopes


def add_middleware(app: FastAPI, settings: Settings, service: Service) -> None:
    """From the inside out: each added one is around those before it."""
    largest = settings.max_body_mb * MEBIBYTE
    app.add_middleware(Head)
    # Of what bodies decode to; the other is of what comes, since empty streams decode to nothing.
    app.add_middleware(BodyLimit, largest=largest, together=settings.queue * largest, held=service.held)
    app.add_middleware(DecodedBody)
    app.add_middleware(BodyLimit, largest=largest)
    app.add_middleware(CodedAnswer)
    app.add_middleware(Access, policy=_policy(settings, service), clock=service.clock)
    app.add_middleware(Failures)
    if settings.cors_origins:
        app.add_middleware(CrossOrigin, origins=settings.cors_origins)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Draining, drain=service.drain)
    app.add_middleware(Patience, seconds=settings.client_seconds)
    _add_proxies(app, settings)
    app.add_middleware(Observed, metrics=service.metrics)


def _add_proxies(app: FastAPI, settings: Settings) -> None:
    """What proxies say of callers and of the path that these know: read while the address is still the proxy's."""
    if not (settings.trusted_proxies or settings.root_path):
        return
    taken = {route.path.split("/")[1] for route in app.router.routes if isinstance(route, Route | Mount)}
    prefix = check_prefix(settings.root_path, "RAINCELL_ROOT_PATH", taken)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    app.add_middleware(RootPath, prefix=prefix, proxies=settings.trusted_proxies, taken=taken)


def _policy(settings: Settings, service: Service) -> Policy:
    damage = Damage(lambda kind: service.metrics.dropped_values.labels(kind).inc())
    return Policy(
        keys=KeyFile(settings.api_keys) if settings.api_keys else None,
        anonymous=anonymous_scopes(settings),
        anonymous_per_minute=settings.anonymous_per_minute,
        origins=settings.cors_origins,
        hosts=KnownHosts(settings.hosts),
        quotas=Quotas(RedisLimits(settings.redis_url, damage) if settings.redis_url else None),
    )
