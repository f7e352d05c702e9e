"""Times in requests: queries, paths and bodies are parsed alike."""

from __future__ import annotations

from datetime import datetime

from pydantic import BeforeValidator

from radar.errors import InvalidRequest
from radar.times import parse_time


def utc_time(name: str) -> BeforeValidator:
    """A parser of the `datetime` of that name in requests: UTC, to the second; raises InvalidRequest.

    Pydantic's own parser reads digits as seconds since 1970.
    """

    def read(text: object) -> datetime:
        try:
            return parse_time(text)
        except InvalidRequest as error:
            expected = f"{name} to be {error.expected}"
            raise InvalidRequest(expected=expected, got=error.got, remedy=error.remedy) from None

    return BeforeValidator(read)
