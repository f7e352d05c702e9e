"""Byte ranges of an answer (RFC 9110, section 14), which GDAL and resumed downloads use."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from starlette.requests import Request

from service.errors import RangeNotSatisfiable
from service.http.head import is_head

_RANGES = re.compile(r"bytes=(.*)", re.IGNORECASE)
_ONE = re.compile(r"([0-9]{1,19})-([0-9]{0,19})|-([0-9]{1,19})")
_MOST_RANGES = 100
_SURELY_AFTER = timedelta(seconds=1)
"""Age in seconds from which a time to the second identifies one state of a resource (section 8.8.2.2)."""


class Bytes(NamedTuple):
    """The bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    def content_range(self, size: int) -> str:
        """The header Content-Range."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def find_range(header: str | None, size: int) -> Bytes | None:
    """The requested part of `size` bytes; None to send all of them.

    All bytes are sent for an invalid header, for a unit other than bytes, and for several parts with gaps.

    Raises
    ------
    RangeNotSatisfiable
        No requested byte exists.
    """
    stated = _RANGES.fullmatch((header or "").strip())
    texts = [text.strip(" \t") for text in stated[1].split(",")] if stated else []
    asked = [_parse(text, size) for text in texts if text]
    if not asked or len(asked) > _MOST_RANGES or any(part is None for part in asked):
        return None
    parts = sorted(part for part in asked if part and part.start < part.stop)
    if not parts:
        raise RangeNotSatisfiable(str(header)[:60], size)
    whole = parts[0]
    for part in parts[1:]:
        if part.start > whole.stop:
            return None
        whole = Bytes(whole.start, max(whole.stop, part.stop))
    return whole


def part_asked_for(request: Request, tag: str, modified: datetime, now: datetime, size: int) -> Bytes | None:
    """The part of an answer of `size` bytes for a request, None for all of it; raises as `find_range`."""
    headers = request.headers
    # HEAD describes the whole answer: ranges are defined for GET only.
    if "range" not in headers or is_head(request.scope):
        return None
    same = still_the_same(headers.get("if-range"), tag, modified, now)
    return find_range(headers["range"], size) if same else None


def still_the_same(if_range: str | None, tag: str, modified: datetime, now: datetime) -> bool:
    """Whether a part may be sent, since the caller's other parts are unchanged (section 13.1.5).

    Tags are compared strongly: a weak one never matches. A time has to equal that of Last-Modified.
    """
    if if_range is None:
        return True
    if_range = if_range.strip()
    if if_range.startswith(('"', "W/")):
        return if_range == tag
    modified = modified.astimezone(UTC).replace(microsecond=0)
    try:
        return parsedate_to_datetime(if_range).astimezone(UTC) == modified <= now - _SURELY_AFTER
    except (ValueError, OverflowError):
        return False


def _parse(text: str, size: int) -> Bytes | None:
    """One part, empty if no byte of it exists; None for an invalid range."""
    match = _ONE.fullmatch(text)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix:
        return Bytes(max(0, size - int(suffix)), size)
    start, stop = int(first), int(last) + 1 if last else size
    if last and stop <= start:
        return None
    return Bytes(min(start, size), min(stop, size))
