"""Times: parsing (ISO 8601, or the digits of radar files), consecutive runs, and gaps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import TypeVar

from radar.errors import InvalidRequest

EXAMPLE = "2024-06-01T12:05:00Z"
_EARLIEST = datetime(1950, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_FARTHEST_OFFSET = timedelta(hours=14)
_LONGEST = 40
"""The most letters of a rejected time that an error repeats."""

T = TypeVar("T")
Gap = tuple[datetime, datetime]
"""The first and the last missing time, UTC."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TIME = re.compile(
    r"(?:(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})[Tt _]"
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?"
    # The digits of radar files and of their names, e.g. 202406011205, 20240601_1205 and 20240601T120500.
    r"|(?P<year_>[0-9]{4})(?P<month_>[0-9]{2})(?P<day_>[0-9]{2})[Tt_]?"
    r"(?P<hour_>[0-9]{2})(?P<minute_>[0-9]{2})(?P<second_>[0-9]{2})?)"
    # A blank may replace the sign: in queries `+` means a blank unless it is written as %2B.
    r"(?P<zone>[Zz]|(?P<sign>[+ -])(?P<hours>[0-9]{2})(?::?(?P<minutes>[0-9]{2}))?)?"
)


def parse_time(text: object) -> datetime:
    """A time in UTC, to the second (a fraction is cut off).

    Accepted are ISO 8601 with date, hour and minute (`2024-06-01T12:05:00Z`, `2024-06-01 14:05+02:00`), and the digits
    YYYYMMDDHHMM and YYYYMMDDHHMMSS, with or without `_` or `T` between date and time. A time without a zone is UTC. A
    blank before an offset is read as `+`, which arrives as a blank in a query.

    Raises
    ------
    InvalidRequest
        For anything else: fewer digits, which may be an hour, a short year or seconds since 1970; a number; a day or
        second that does not exist; a time before 1950 or after 2199.
    """
    if isinstance(text, datetime):
        return _in_utc(text, str(text))
    if not isinstance(text, str):
        raise _refused(repr(text), f"send a text such as {EXAMPLE}; numbers are not taken for seconds since 1970")
    match = _TIME.fullmatch(text)
    if match is None:
        raise _refused(text, _remedy(text))
    parts = {name.rstrip("_"): value for name, value in match.groupdict().items() if value is not None}
    if parts.get("second") == "60":
        raise _refused(text, "leave the leap second out: write second 59, or 00 of the next minute")
    numbers = [int(parts.get(name, 0)) for name in ("year", "month", "day", "hour", "minute", "second")]
    try:
        return _in_utc(datetime(*numbers, tzinfo=_zone(parts)), text)  # type: ignore[arg-type, misc]
    except ValueError as error:
        raise _refused(text, f"correct it: {error}") from None


def _zone(parts: dict[str, str]) -> timezone:
    """The zone of an offset; raises ValueError for an offset that no place has."""
    if "sign" not in parts:
        return UTC
    minutes = int(parts.get("minutes", 0))
    offset = timedelta(hours=int(parts["hours"]), minutes=minutes)
    if offset > _FARTHEST_OFFSET or minutes > 59:
        raise ValueError("offsets from UTC are from -14:00 to +14:00")
    return timezone(-offset if parts["sign"] == "-" else offset)


def _in_utc(time: datetime, text: str) -> datetime:
    try:
        utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        usable = _EARLIEST <= utc < _LATEST
    except OverflowError:
        usable = False
    if not usable:
        raise _refused(text, "correct it: times are from 1950 to 2199")
    return utc.replace(microsecond=0)


def _remedy(text: str) -> str:
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", text):
        return f"write {EXAMPLE}, or twelve digits YYYYMMDDHHMM: others are not taken for seconds since 1970"
    if " " in text.strip():
        return f"write {EXAMPLE}; in a query + has to be written as %2B, since it arrives as a blank otherwise"
    return f"write date, hour and minute, e.g. {EXAMPLE}, or 2024-06-01T14:05:00%2B02:00 with an offset in a query"


def _refused(text: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(
        expected=f"a time since 1950 in ISO 8601, e.g. {EXAMPLE}", got=text[:_LONGEST] or "nothing", remedy=remedy
    )


def runs(times: Iterable[datetime], step: timedelta, longest: int = 0) -> Iterator[list[datetime]]:
    """Split ordered times wherever the next one is not one step later, and after `longest` times.

    Parameters
    ----------
    times : iterable of datetime
        In order.
    step : timedelta
    longest : int
        The most times of one run; 0 sets no limit.
    """
    return runs_of(times, lambda time: time, step, longest)


def runs_of(
    items: Iterable[T], time_of: Callable[[T], datetime], step: timedelta, longest: int = 0
) -> Iterator[list[T]]:
    """As `runs`, for items with a time, such as frames."""
    run: list[T] = []
    for item in items:
        if run and (len(run) == longest or time_of(item) - time_of(run[-1]) != step):
            yield run
            run = []
        run.append(item)
    if run:
        yield run


def gaps(
    times: Sequence[datetime], step: timedelta, start: datetime | None = None, end: datetime | None = None
) -> list[Gap]:
    """The gaps between times, and before and after them if `start` and `end` are given.

    Expected times follow the previous time in whole steps. Before the first time they precede it in whole steps;
    without any time they are whole multiples of the step.
    """
    phase = times[0] if times else _EPOCH
    edges = list(times)
    if start is not None:
        edges.insert(0, start + (phase - start) % step - step)
    if end is not None:
        edges.append(end - (end - phase) % step + step)
    counts = ((before, -((before - after) // step) - 1) for before, after in pairwise(edges))
    return [(before + step, before + count * step) for before, count in counts if count > 0]
