"""Requests from pages of other sites, recognised by the headers of browsers."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers

from service.errors import Forbidden

_OWN = frozenset({"same-origin", "none"})
_PORTS = {"http": "80", "https": "443"}


def refuse_foreign(headers: Headers, origins: Collection[str]) -> None:
    """Raise Forbidden for a page of another site, or of another port of this one, unless `origins` names it.

    Browsers send Sec-Fetch-Site only over https and to loopback: elsewhere Origin is compared with Host. Programs send
    neither.
    """
    if not is_foreign(headers) or {headers.get("origin", ""), "*"} & set(origins):
        return
    raise Forbidden(
        expected="a request from this service's own pages, or with an API key",
        got="one from another site",
        remedy="the operator can name the site in RAINCELL_CORS_ORIGINS",
    )


def is_foreign(headers: Headers) -> bool:
    """Whether the request comes from a page of another site."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in _OWN
    origin = headers.get("origin")
    return origin is not None and not _is_own(origin, headers.get("host", ""))


def _is_own(origin: str, host: str) -> bool:
    scheme, _, authority = origin.lower().partition("://")
    port = _PORTS.get(scheme)
    return port is not None and authority.removesuffix(f":{port}") == host.lower().removesuffix(f":{port}")
