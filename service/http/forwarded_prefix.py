"""X-Forwarded-Prefix: the path of the host below which callers reach the service, from a proxy or a setting."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from ipaddress import ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from radar.errors import InvalidRequest
from service.http.problems import raincell_response
from service.http.root_path import check_prefix

HEADER = "X-Forwarded-Prefix"


class RootPath:
    """ASGI middleware that finds the prefix of a request, even if a proxy removed it.

    Inside, `root_path` is the prefix and `path` begins with it, as in ASGI.

    Parameters
    ----------
    prefix : str
        RAINCELL_ROOT_PATH.
    proxies : sequence of str
        Addresses and networks whose X-Forwarded-Prefix takes precedence; the header of others is ignored.
    taken : collection of str
        First segments of the routes.
    """

    def __init__(self, app: ASGIApp, prefix: str, proxies: tuple[str, ...], taken: Collection[str]) -> None:
        self._app = app
        self._prefix = prefix
        self._taken = frozenset(taken)
        self._trusted = trusts(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer 422 to an invalid prefix from a trusted proxy."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            prefix = self._of(scope)
        except InvalidRequest as error:
            await raincell_response(error)(scope, receive, send)
            return
        if prefix:
            path = scope["path"]
            scope["root_path"] = prefix
            scope["path"] = path if path.startswith(f"{prefix}/") else f"{prefix}/" if path == prefix else prefix + path
        await self._app(scope, receive, send)

    def _of(self, scope: Scope) -> str:
        client = scope.get("client")
        if client is None or not self._trusted(client[0]):
            return self._prefix
        sent = ", ".join(Headers(scope=scope).getlist(HEADER)).strip()
        return check_prefix(sent, HEADER, self._taken) if sent else self._prefix


def trusts(proxies: tuple[str, ...]) -> Callable[[str], bool]:
    """A test whether an address belongs to the proxies, given as addresses and networks."""
    networks = [ip_network(proxy) for proxy in proxies]

    @lru_cache(maxsize=1024)
    def trusted(host: str) -> bool:
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in networks)

    return trusted
