"""Limits of history for each series, each caller and all together: none can fill it, and no valid frame is evicted."""

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
    """The limits of stored frames.

    Parameters
    ----------
    series : int
        The most series of unknown products that one caller may begin.
    frame_bytes : int
        Bytes of compressed frames of all series; one series may have a quarter, all series of one caller half of them.
    """

    series: int = 4
    frame_bytes: int = 512 * MEBIBYTE


class Sized(Protocol):
    """A store that reports its sizes, such as every `service.history.store.EncodedHistory`."""

    retention: timedelta
    beginnings: Beginnings
    shares: Shares

    def products(self) -> list[SeriesKey]:
        """Every product and grid with frames."""

    def times(self, product: str, grid: str) -> list[datetime]:
        """The times of all frames, oldest first."""

    def series_bytes(self, series: Sequence[SeriesKey]) -> list[int]:
        """Bytes of the frames of each series."""

    def frame_bytes(self, series: SeriesKey, times: Collection[datetime]) -> int:
        """Bytes of the series' frames of these times together."""


def check_room(store: Sized, series: SeriesKey, frames: Sequence[StoredFrame], who: str | None) -> None:
    """Raise an error unless there is room for frames of one series. Frames that do not enlarge the history always fit.

    Parameters
    ----------
    who : str or None
        The caller; None is the operator, such as a feed that writes to the store itself: frames of others never block
        the operator's.

    Raises
    ------
    InvalidRequest
        One series, or all series of one caller, would be too large.
    StoreFull
        All series together would be too large.
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
    """Bytes of stored frames that the new ones replace, or that fall out of the retention."""
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
