"""Conversion of CF times, `UNIT since EPOCH` in a calendar, to UTC."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

_SECONDS = {
    **dict.fromkeys(("nanosecond", "nanoseconds", "nsec", "nsecs", "ns"), 1e-9),
    **dict.fromkeys(("microsecond", "microseconds", "microsec", "microsecs", "us"), 1e-6),
    **dict.fromkeys(("millisecond", "milliseconds", "millisec", "millisecs", "msec", "msecs", "ms"), 1e-3),
    **dict.fromkeys(("second", "seconds", "sec", "secs", "s"), 1.0),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), 60.0),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "h"), 3600.0),
    **dict.fromkeys(("day", "days", "d"), 86400.0),
}
_SINCE = re.compile(r"\s*([A-Za-z]+)\s+since\s+(.*)", re.IGNORECASE)
_EPOCH = re.compile(
    r"\+?(?P<year>\d{1,4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
    r"(?:(?:\s+|T)(?P<hour>\d{1,2}(?=:)|00?)(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}(?:\.\d*)?))?)?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[-+]\d{1,2}(?::?\d{2})?)?\s*",
    re.IGNORECASE,
)
_GREGORIAN_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_GREGORIAN_DAY, _LAST_JULIAN_DAY = (1582, 10, 15), (1582, 10, 4)
_COARSE_SECONDS = 1.0
_EXACT_ANYWAY_SECONDS = 900
"""Coarse numbers that all fall on quarters of an hour are taken as exact."""


class NotRead(Exception):
    """A file has something that is not supported; the reader adds the file's name.

    Parameters
    ----------
    expected, got : str
    remedy : str
        Empty for the usual one: write the file as docs/reference/radar-files.md describes.
    """

    def __init__(self, expected: str, got: str, remedy: str = "") -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected, self.got, self.remedy = expected, got, remedy


def is_time_unit(units: object) -> bool:
    """Whether the attribute `units` is that of times."""
    return isinstance(units, str) and _SINCE.fullmatch(units) is not None


def cf_times(values: Float64, units: str, calendar: str, resolution: float = 0.0) -> list[datetime]:
    """Times in UTC, rounded to the second.

    Parameters
    ----------
    values : float64 (T,)
        NaN where a time is missing.
    units : str
        E.g. "minutes since 2024-06-01 00:00:00 +01:00". An epoch without a zone is UTC.
    calendar : str
        standard, gregorian or proleptic_gregorian; the first two are Julian before 15 October 1582.
    resolution : float
        The distance between neighbouring numbers of the file's type, in its unit; float32 may be coarse.

    Raises
    ------
    NotRead
        The calendar or unit is not supported, the epoch is not a date, a time is missing, or the numbers are too coarse
        to resolve a second.
    """
    seconds_of_unit, epoch = _epoch(units, calendar)
    missing = np.flatnonzero(~np.isfinite(values))
    if len(missing):
        raise NotRead("a time for every frame", f"no time for frame {missing[0] + 1} of {len(values)}")
    whole = [epoch + _rounded(value * seconds_of_unit) for value in values.tolist()]
    _check_resolution(whole, resolution * seconds_of_unit, units)
    try:
        return [_UNIX + timedelta(seconds=seconds) for seconds in whole]
    except OverflowError:
        raise NotRead("times between the years 1 and 9999", f"{values[0]:g} {units}") from None


def _rounded(seconds: float) -> int:
    return int(np.floor(seconds + 0.5))


def _check_resolution(seconds: Sequence[int], resolution_seconds: float, units: str) -> None:
    """Raise NotRead for coarse numbers: float32 holds days since 1900 to 5 minutes only, so the exact time is lost."""
    if resolution_seconds <= _COARSE_SECONDS or not any(second % _EXACT_ANYWAY_SECONDS for second in seconds):
        return
    steps = f"float32 in {units!r}, which resolves times in steps of {resolution_seconds:.0f} s"
    raise NotRead("times to the second (as integers or float64)", steps)


def _epoch(units: str, calendar: str) -> tuple[float, int]:
    """Seconds of the unit, and the epoch in seconds since 1970."""
    kind = calendar.strip().lower()
    if kind not in _GREGORIAN_CALENDARS:
        raise NotRead("times in the calendar standard, gregorian or proleptic_gregorian", f"calendar {calendar!r}")
    since = _SINCE.fullmatch(units)
    if since is None or since[1].lower() not in _SECONDS:
        raise NotRead("times in days, hours, minutes, seconds or milliseconds since a date", f"units {units!r}")
    epoch = _EPOCH.fullmatch(since[2])
    day = None if epoch is None else _ordinal((int(epoch["year"]), int(epoch["month"]), int(epoch["day"])), kind)
    if epoch is None or day is None or int(epoch["hour"] or 0) > 24 or int(epoch["minute"] or 0) > 59:
        raise NotRead("a date and time from the year 1 on, e.g. 'seconds since 1970-01-01 00:00:00'", f"{units!r}")
    clock = int(epoch["hour"] or 0) * 3600 + int(epoch["minute"] or 0) * 60 + float(epoch["second"] or 0)
    days = day - _UNIX.toordinal()
    return _SECONDS[since[1].lower()], 86400 * days + _rounded(clock - _zone_seconds(epoch["zone"]))


def _zone_seconds(zone: str | None) -> int:
    if zone is None or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    return (-1 if zone[0] == "-" else 1) * (int(hours) * 3600 + int(minutes) * 60)


def _ordinal(written: tuple[int, int, int], calendar: str) -> int | None:
    """The ordinal of a day (year, month, day) in Python's proleptic Gregorian calendar; None for an impossible date."""
    try:
        if calendar == "proleptic_gregorian" or written >= _FIRST_GREGORIAN_DAY:
            return date(*written).toordinal()
    except ValueError:
        return None
    return None if written > _LAST_JULIAN_DAY else _julian_ordinal(*written)


def _julian_ordinal(year: int, month: int, day: int) -> int | None:
    """1 January of the year 1 in the Julian calendar is two days before that of the Gregorian one."""
    lengths = (31, 29 if year % 4 == 0 else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        return None
    before = year - 1
    return before * 365 + before // 4 + sum(lengths[: month - 1]) + day - 2
