"""What pages of other sites may do in a browser (CORS), where RAINCELL_CORS_ORIGINS names the sites."""

from __future__ import annotations

from typing import Any

_ASKED = ("Authorization", "X-API-Key", "Content-Type", "Content-Encoding", "X-Request-ID", "If-None-Match")
_TOLD = (
    "ETag",
    "Last-Modified",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "Server-Timing",
    "X-Request-ID",
    "X-Raincell-Model",
    "X-Raincell-Product",
    "X-Raincell-Grid",
    "X-Raincell-Reference-Time",
    "X-Raincell-Lead-Minutes",
    "X-Raincell-Age-Seconds",
    "X-Raincell-Degraded",
    "X-Raincell-Assumed",
    "X-Raincell-Attribution",
)


def cross_origin(origins: frozenset[str]) -> dict[str, Any]:
    """Arguments of Starlette's CORSMiddleware; no cookies are in use, so no credentials are allowed."""
    return {
        "allow_origins": sorted(origins),
        "allow_methods": ["GET", "POST", "DELETE"],
        "allow_headers": _ASKED,
        "expose_headers": _TOLD,
        "max_age": 600,
    }
