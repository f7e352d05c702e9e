"""How much of the history a series, a caller and all of them may take: nobody fills it, and nothing true is evicted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from radar.errors import InvalidRequest
from service.errors import StoreFull
from service.history.beginnings import Beginnings, counts_as
from service.history.codec import SeriesKey, StoredFrame

MEBIBYTE = 1024 * 1024
_SERIES_PART, _CALLER_PART = 4, 2


@dataclass(frozen=True)
class Shares:
    """What may be stored.

    Parameters
    ----------
    series : int
        Series of unknown products that one caller may begin.
    frame_bytes : int
        Compressed frames of all series together; a quarter of it for one series, half for all that a caller began.
    """

    series: int = 4
    frame_bytes: int = 512 * MEBIBYTE


class Sized(Protocol):
    """A store that says how much it holds; every `service.history.store.EncodedHistory` is one."""

    retention: timedelta
    beginnings: Beginnings
    shares: Shares

    def products(self) -> list[SeriesKey]:
        """Every product and grid of which there are frames."""

    def times(self, product: str, grid: str) -> list[datetime]:
        """The times of all frames, oldest first."""

    def series_bytes(self, series: Sequence[SeriesKey]) -> list[int]:
        """Of the frames of each series."""

    def frame_bytes(self, series: SeriesKey, times: Collection[datetime]) -> int:
        """Of its frames of these times together."""


def check_room(store: Sized, series: SeriesKey, frames: Sequence[StoredFrame], who: str | None) -> None:
    """Raise unless there is room for frames of one series. What makes the history no larger always has room.

    Parameters
    ----------
    who : str or None
        Who stores them; None is the operator, as a feed that writes to the store itself: nobody else's frames keep his
        away.

    Raises
    ------
    InvalidRequest
        Too much of one series, or of those that one caller began.
    StoreFull
        Too much of all together.
    """
    if who is None:
        return
    growth = sum(len(frame.data) for frame in frames) - _leaving(store, series, frames)
    if growth <= 0:
        return
    known = store.products()
    sizes = dict(zip(known, store.series_bytes(known), strict=True))
    most = store.shares.frame_bytes
    _check(sizes.get(series, 0) + growth, most // _SERIES_PART, f"of {series.product} on one grid")
    begun = {one for one, by in store.beginnings.by().items() if counts_as(by) == counts_as(who)}
    if series in begun or series not in sizes:
        mine = sum(size for one, size in sizes.items() if one in begun)
        _check(mine + growth, most // _CALLER_PART, "of all series that one caller began")
    if (together := sum(sizes.values()) + growth) > most:
        raise StoreFull(
            expected=f"at most {_mebibytes(most)} of frames in the history (RAINCELL_HISTORY_MB)",
            got=_mebibytes(together),
            remedy="nothing was stored; withdraw frames that are not needed, or its operator raises the limit",
        )


def _leaving(store: Sized, series: SeriesKey, frames: Sequence[StoredFrame]) -> int:
    """Bytes of stored frames that these replace, or that go because these are newer."""
    times, new = store.times(*series), {frame.valid_time for frame in frames}
    oldest = max([*new, *times[-1:]]) - store.retention
    return store.frame_bytes(series, [time for time in times if time <= oldest or time in new])


def _check(size: int, most: int, whose: str) -> None:
    if size > most:
        raise InvalidRequest(
            expected=f"at most {_mebibytes(most)} of compressed frames {whose} (a part of RAINCELL_HISTORY_MB)",
            got=_mebibytes(size),
            remedy="nothing was stored; send fewer or smaller frames, withdraw others, or its operator raises the"
            " limit: rain takes far less than noise",
        )


def _mebibytes(size: int) -> str:
    return f"{size / MEBIBYTE:.4g} MiB"
