"""Access: the scopes of a request are checked before its body is read."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from radar.errors import RaincellError
from service.errors import Forbidden, QuotaExceeded, Unauthorised
from service.http.caching import keep_private
from service.http.problems import raincell_response
from service.http.root_path import OPEN_PATHS, route_path
from service.monitoring.request_id import request_state_of
from service.security.foreign_pages import refuse_foreign
from service.security.hosts import KnownHosts
from service.security.keys import INGEST, PREDICT, READ, ApiKey, KeyFile
from service.security.quotas import Quotas

_OPEN_BELOW = "/static-offline-docs/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_KEY = 200


def scope_of(method: str, path: str) -> str | None:
    """The scope that a request needs, None for open routes; routes without an entry here need `read`.

    Only the beginnings of paths are compared, so that no spelling of a route's path gets a lesser scope.
    """
    if path in OPEN_PATHS or path.startswith(_OPEN_BELOW):
        return None
    if method not in _SAFE and path.startswith("/frames"):
        return INGEST
    return PREDICT if method not in _SAFE and path.startswith("/predict") else READ


@dataclass(frozen=True)
class Policy:
    """The rights of callers.

    Parameters
    ----------
    keys : KeyFile or None
        None without keys; then keys in requests are ignored, since they may be for a proxy.
    anonymous : set of str
        Scopes of callers without a key.
    anonymous_per_minute : int or None
        Requests of one address without a key; None for any number.
    origins : set of str
        Sites whose pages may use the service, from RAINCELL_CORS_ORIGINS.
    hosts : KnownHosts
        Host names under which callers without a key may reach the service.
    """

    keys: KeyFile | None = None
    anonymous: frozenset[str] = frozenset()
    anonymous_per_minute: int | None = None
    origins: frozenset[str] = frozenset()
    hosts: KnownHosts = field(default_factory=KnownHosts)
    quotas: Quotas = field(default_factory=Quotas)


class Access:
    """ASGI middleware that admits permitted requests, and answers others with 401, 403, 421 or 429 as problem+json."""

    def __init__(self, app: ASGIApp, policy: Policy, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._policy = policy
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request; open routes are neither checked nor counted."""
        needed = scope_of(scope["method"], route_path(scope)) if scope["type"] == "http" else None
        if needed is None:
            await self._app(scope, receive, send)
            return
        limits: Mapping[str, str] = {}
        try:
            limits = await self._admit(scope, needed)
        except RaincellError as error:
            await raincell_response(error, _explained(error, needed))(scope, receive, send)
            return
        with_key = request_state_of(scope).key is not None
        await self._app(scope, receive, _with_headers(send, limits, with_key) if limits or with_key else send)

    async def _admit(self, scope: Scope, needed: str) -> Mapping[str, str]:
        """Headers for the answer to a permitted request; raises Unauthorised, Forbidden or QuotaExceeded."""
        headers = Headers(scope=scope)
        key = self._key(headers)
        if key is not None:
            request_state_of(scope).key = key.name
        per_minute = key.per_minute if key else self._policy.anonymous_per_minute
        spent = await self._policy.quotas.spend(who_asks(scope), per_minute, self._clock()) if per_minute else None
        if spent and spent.exceeded:
            raise QuotaExceeded(spent.per_minute, spent.seconds_left, spent.headers())
        if key is None:
            self._check_anonymous(scope["method"], headers, needed)
        elif needed not in key.scopes:
            raise Forbidden(
                expected=f"a key with the scope {needed}",
                got=f"one with {', '.join(sorted(key.scopes))}",
                remedy="ask the operator for a key with that scope",
            )
        return spent.headers() if spent else {}

    def _key(self, headers: Headers) -> ApiKey | None:
        secret = _secret(headers) if self._policy.keys is not None else None
        if secret is None or self._policy.keys is None:
            return None
        key = self._policy.keys.find(secret) if len(secret) <= _LONGEST_KEY else None
        if key is None:
            raise Unauthorised(
                expected="a key of this service",
                got="one that it does not know",
                remedy="check the key, or leave it out",
            )
        return key

    def _check_anonymous(self, method: str, headers: Headers, needed: str) -> None:
        if needed not in self._policy.anonymous:
            raise Unauthorised(
                expected=f"an API key with the scope {needed}",
                got="none",
                remedy="send the header Authorization: Bearer KEY",
            )
        # The page of another site may run in the browser of a user who can reach the service, e.g. on its machine.
        self._policy.hosts.check(headers)
        if method not in _SAFE:
            refuse_foreign(headers, self._policy.origins)


def _secret(headers: Headers) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else headers.get("x-api-key")


def who_asks(scope: Scope) -> str:
    """The caller: a key, or else an address; for IPv6 the network, since every user has many addresses."""
    key = request_state_of(scope).key
    return f"key:{key}" if key else caller_of(scope["client"][0] if scope.get("client") else "")


@lru_cache(maxsize=4096)
def caller_of(host: str) -> str:
    """The caller of an address; an IPv4 address within IPv6 counts as IPv4."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "address:unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return f"address:{ipaddress.ip_network((int(address) >> 64 << 64, 64))}"
    return f"address:{getattr(address, 'ipv4_mapped', None) or address}"


def _explained(error: RaincellError, needed: str) -> dict[str, str]:
    if isinstance(error, QuotaExceeded):
        return dict(error.headers)
    if isinstance(error, Unauthorised):
        return {"WWW-Authenticate": 'Bearer realm="raincell"'}
    return {"WWW-Authenticate": f'Bearer realm="raincell", error="insufficient_scope", scope="{needed}"'}


def _with_headers(send: Send, limits: Mapping[str, str], with_key: bool) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(limits)
            if with_key:
                keep_private(headers)
        await send(message)

    return sending
