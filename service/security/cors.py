"""Rights of other sites' pages in a browser (CORS), for the sites in RAINCELL_CORS_ORIGINS."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from service.http.own_headers import Own
from service.http.problems import problem_response

_ASKED = (
    "Authorization",
    "X-API-Key",
    "Content-Type",
    "Content-Encoding",
    "X-Request-ID",
    "Range",
    "If-Range",
    "If-None-Match",
    "If-Modified-Since",
)
_TOLD = (
    "ETag",
    "Last-Modified",
    "Accept-Ranges",
    "Content-Range",
    "Content-Encoding",
    "Content-Disposition",
    "Allow",
    "Link",
    "Location",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "Server-Timing",
    "WWW-Authenticate",
    "X-Request-ID",
)


class CrossOrigin(CORSMiddleware):
    """Starlette's CORS middleware for a set of origins, with refusals as problem documents.

    No cookies are used, so credentials are not allowed: pages send keys in headers.
    """

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        super().__init__(
            app,
            allow_origins=sorted(origins),
            allow_methods=["GET", "HEAD", "POST", "DELETE"],
            allow_headers=_ASKED,
            expose_headers=(*_TOLD, *Own),
            max_age=600,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a browser's preflight request."""
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        return problem_response(
            response.status_code,
            "CrossOriginRefused",
            "a site that may use this service, asking for a method and headers that it may send",
            bytes(response.body).decode()[:100],
            "the operator names sites in RAINCELL_CORS_ORIGINS",
            {name: value for name, value in response.headers.items() if name.startswith(("access-control", "vary"))},
        )
