"""Headers of caching (RFC 9110, section 13, and RFC 9111)."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.datastructures import MutableHeaders
from starlette.requests import Request

KEYS = ("Authorization", "X-API-Key")
"""Headers with API keys."""
IMMUTABLE = "max-age=31536000, immutable"
BRIEFLY_SECONDS = 5
_FORM = 2
"""Change it when the bytes of the same answer change: a tag identifies bytes."""


def entity_tag(*parts: object) -> str:
    """A strong entity tag: equal for equal bytes on every replica."""
    return f'"{hashlib.sha256(repr((_FORM, parts)).encode()).hexdigest()[:24]}"'


def unchanged(request: Request, tag: str, modified: datetime) -> bool:
    """Whether the caller already has this version, so that 304 suffices."""
    wanted = request.headers.get("if-none-match")
    if wanted is not None:
        return wanted.strip() == "*" or tag in re.findall(r'"[^"]*"', wanted)
    since = request.headers.get("if-modified-since")
    try:
        return since is not None and modified.replace(microsecond=0) <= parsedate_to_datetime(since).astimezone(UTC)
    except (ValueError, OverflowError):
        return False


def validators(tag: str, modified: datetime) -> dict[str, str]:
    """The headers with which a caller can revalidate an answer."""
    return {
        "ETag": tag,
        "Last-Modified": format_datetime(modified.astimezone(UTC).replace(microsecond=0), usegmt=True),
        "Accept-Ranges": "bytes",
    }


def keep_private(headers: MutableHeaders) -> None:
    """Forbid shared caches to keep the answer to a caller with a key, and other caches to use it for another key."""
    directives = headers.get("cache-control", "")
    if "no-store" not in directives:
        headers["cache-control"] = f"private, {directives}" if directives else "private"
    for name in KEYS:
        headers.add_vary_header(name)
