"""The media type of an answer, by the Accept header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from service.errors import NotAcceptable


class _Range(NamedTuple):
    pattern: str
    quality: float

    @property
    def precision(self) -> int:
        """2 for type/subtype, 1 for type/*, 0 for */*."""
        return 2 - self.pattern.count("*")


@lru_cache(maxsize=256)  # programs send the same header again and again
def choose(accept: str | None, offered: tuple[str, ...]) -> str:
    """The offered media type that the caller prefers; the first of `offered` among equals.

    Raises
    ------
    NotAcceptable
        Accept allows none of them.
    """
    if accept is None or not accept.strip():
        return offered[0]
    ranges = [_parse(part) for part in accept.split(",") if part.strip()]
    qualities = {media_type: _quality(media_type, ranges) for media_type in offered}
    best = max(offered, key=lambda media_type: qualities[media_type])
    if qualities[best] <= 0:
        raise NotAcceptable(
            expected="Accept to allow one of " + ", ".join(offered),
            got=accept[:80],
            remedy="name one of these, leave Accept out for JSON, or add format= to the query",
        )
    return best


def qualities(header: str) -> dict[str, float]:
    """The values in a header such as Accept-Encoding, in lower case, with their qualities from 0 to 1."""
    return dict(_parse(part) for part in header.split(",") if part.strip())


def _parse(text: str) -> _Range:
    pattern, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            quality = _number(value)
    return _Range(pattern, quality)


def _number(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0


def _quality(media_type: str, ranges: Sequence[_Range]) -> float:
    """The quality of the most precise range that covers a media type; 0 without one."""
    covering = {media_type, media_type.split("/")[0] + "/*", "*/*"}
    found = [entry for entry in ranges if entry.pattern in covering]
    return max(found, key=lambda entry: (entry.precision, entry.quality)).quality if found else 0.0
