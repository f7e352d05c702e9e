"""The type of every time that a caller sends, in a query, a path or a body."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

from radar.errors import InvalidRequest
from radar.times import parse_time


def _parse(text: object, info: ValidationInfo) -> datetime:
    try:
        return parse_time(text)
    except InvalidRequest as error:
        where = f"{info.field_name} to be " if info.field_name else ""
        raise InvalidRequest(expected=where + error.expected, got=error.got, remedy=error.remedy) from None


UtcTime = Annotated[datetime, BeforeValidator(_parse)]
"""UTC, to the second; raises InvalidRequest. Pydantic alone takes digits for seconds since 1970."""
