"""Keys of the history in Redis, and the form of times in them.

The keys of a series have its product and grid in braces, so that a cluster keeps them together.
"""

from __future__ import annotations

from datetime import datetime

from service.history.codec import SeriesKey


def series_key(series: SeriesKey, what: str) -> str:
    """E.g. raincell:{RY|radolan}:withdrawn."""
    return f"raincell:{{{series.product}|{series.grid}}}:{what}"


def index_key(series: SeriesKey) -> str:
    """The sorted set of the series' times."""
    return series_key(series, "times")


def frame_key(series: SeriesKey, time: datetime) -> str:
    """The hash of one frame."""
    return series_key(series, f"frame:{seconds_of(time)}")


def seconds_of(time: datetime) -> int:
    """Whole seconds since 1970, the form of times in Redis."""
    return round(time.timestamp())
