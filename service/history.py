"""The recent frames of every product, from which forecasts are made."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol

from radar.errors import IncompleteHistory, InvalidRequest, UnknownProduct
from radar.sequence import FrameSequence, check_spacing, iso
from service.codec import Series, StoredFrame, decode, encode, series_of
from service.errors import StoredHistoryIncomplete

MOST_SERIES = 32
"""Products times grids that are kept at a time."""


class HistoryStore(Protocol):
    """Keeps frames by product and grid; retention counts from a product's newest frame."""

    def append(self, frames: FrameSequence) -> None:
        """Keep frames; one of a time that is already there replaces it.

        Raises
        ------
        InvalidRequest
            A frame is older than the retention, or has no product.
        """

    def latest(self, product: str, grid: str, count: int) -> FrameSequence:
        """The newest `count` frames of a product on the grid of that key.

        Raises
        ------
        UnknownProduct
            There is no frame.
        StoredHistoryIncomplete
            There are fewer, or there is a gap.
        """

    def times(self, product: str, grid: str) -> list[datetime]:
        """The times of all frames, oldest first; none if there are none."""

    def products(self) -> list[Series]:
        """Every product and grid of which there are frames."""

    def withdraw(self, product: str, time: datetime) -> bool:
        """Take the frames of that time away on all grids; whether there were any."""


class EncodedHistory(ABC):
    """A HistoryStore made of a few operations on encoded frames, which is where the stores differ."""

    def __init__(self, retention: timedelta) -> None:
        self.retention = retention

    @abstractmethod
    def put(self, series: Series, frames: Sequence[StoredFrame]) -> None:
        """Keep frames of one series, all or none, and drop those beyond the retention."""

    @abstractmethod
    def newest(self, series: Series, count: int) -> list[StoredFrame]:
        """The newest `count` frames, oldest first; fewer if there are fewer."""

    @abstractmethod
    def times(self, product: str, grid: str) -> list[datetime]:
        """See HistoryStore."""

    @abstractmethod
    def products(self) -> list[Series]:
        """See HistoryStore."""

    @abstractmethod
    def remove(self, series: Series, time: datetime) -> bool:
        """Take one frame away; whether it was there."""

    def epoch(self) -> str:
        """A text that changes when the store has lost its frames; memory loses none while the process lives."""
        return "memory"

    def append(self, frames: FrameSequence) -> None:
        """See HistoryStore."""
        self.check(frames)
        self.put(series_of(frames), encode(frames))

    def latest(self, product: str, grid: str, count: int) -> FrameSequence:
        """See HistoryStore."""
        return decode_history(self.newest(Series(product, grid), count), product, count)

    def withdraw(self, product: str, time: datetime) -> bool:
        """See HistoryStore."""
        removed = [self.remove(series, time) for series in self.products() if series.product == product]
        return any(removed)

    def check(self, frames: FrameSequence) -> None:
        """Raise InvalidRequest for frames that could not be kept."""
        series = series_of(frames)
        if not frames.product:
            raise InvalidRequest(expected="the product of the frames", got="none", remedy="name it, e.g. product=RY")
        known = self.products()
        if series not in known and len(known) >= MOST_SERIES:
            raise InvalidRequest(
                expected=f"at most {MOST_SERIES} products and grids",
                got="one more",
                remedy="withdraw the frames of one that is not needed",
            )
        newest = max([frames.valid_times[-1], *self.times(*series)[-1:]])
        if frames.valid_times[0] <= newest - self.retention:
            raise InvalidRequest(
                expected=f"frames of {frames.product} after {iso(newest - self.retention)}, since its newest is of"
                f" {iso(newest)} and {self.retention.total_seconds() / 60:g} minutes are kept",
                got=iso(frames.valid_times[0]),
                remedy="send only newer frames, or send these under another product name",
            )


class MemoryHistory(EncodedHistory):
    """Frames in this process's memory, as compact as in Redis; gone when it ends."""

    def __init__(self, retention: timedelta) -> None:
        super().__init__(retention)
        self._frames: dict[Series, dict[datetime, StoredFrame]] = {}
        self._lock = threading.Lock()

    def put(self, series: Series, frames: Sequence[StoredFrame]) -> None:
        """See EncodedHistory."""
        with self._lock:
            kept = self._frames.get(series, {}) | {frame.valid_time: frame for frame in frames}
            oldest = max(kept) - self.retention
            self._frames[series] = {time: kept[time] for time in sorted(kept) if time > oldest}

    def keep_only(self, series: Series, newest: Sequence[StoredFrame]) -> None:
        """Make these the newest frames: others since the first of them were withdrawn elsewhere, and go."""
        with self._lock:
            earlier = self._frames.get(series, {})
            first = newest[0].valid_time
            self._frames[series] = {time: frame for time, frame in earlier.items() if time < first}
        self.put(series, newest)

    def newest(self, series: Series, count: int) -> list[StoredFrame]:
        """See EncodedHistory."""
        return list(self._frames.get(series, {}).values())[-count:]

    def times(self, product: str, grid: str) -> list[datetime]:
        """See HistoryStore."""
        return list(self._frames.get(Series(product, grid), {}))

    def products(self) -> list[Series]:
        """See HistoryStore."""
        return sorted(self._frames.copy())

    def remove(self, series: Series, time: datetime) -> bool:
        """See EncodedHistory."""
        with self._lock:
            kept = dict(self._frames.get(series, {}))
            found = kept.pop(time, None) is not None
            self._frames[series] = kept
            if not kept:
                del self._frames[series]
            return found


def decode_history(stored: Sequence[StoredFrame], product: str, count: int) -> FrameSequence:
    """Stored frames as a sequence of `count`; UnknownProduct or StoredHistoryIncomplete if they are not that."""
    if not stored:
        raise unknown_product(product)
    step = stored[-1].header.timestep_minutes
    spacing = f", {step} minutes apart" if count > 1 else ""
    try:
        check_spacing([frame.valid_time for frame in stored], step)
        if len(stored) < count:
            raise IncompleteHistory(expected=f"{count} frames{spacing}", got=str(len(stored)), remedy="")
        return decode(stored)
    except IncompleteHistory as error:
        raise StoredHistoryIncomplete(
            expected=f"{count} frames{spacing} in the history of {product}",
            got=error.got,
            remedy="add the missing frames with POST /frames, or ask again when they have come",
        ) from None


def choose_series(known: Iterable[Series], product: str, grid: str | None) -> Series:
    """The series of a product; UnknownProduct if there is none, InvalidRequest if the grid must be named."""
    found = [series for series in known if series.product == product and grid in (None, series.grid)]
    if not found:
        raise unknown_product(product, grid)
    if len(found) > 1:
        raise InvalidRequest(
            expected=f"the grid of {product}, one of " + ", ".join(series.grid for series in found),
            got="none",
            remedy="add grid= to the query",
        )
    return found[0]


def gaps(times: Sequence[datetime], timestep_minutes: int) -> list[datetime]:
    """The times missing between the first and the last, at most a thousand."""
    missing: list[datetime] = []
    step = timedelta(minutes=timestep_minutes)
    for before, after in pairwise(times):
        missing.extend(before + k * step for k in range(1, min(1000, -(-(after - before) // step))))
    return missing[:1000]


def unknown_product(product: str, grid: str | None = None) -> UnknownProduct:
    """The error for a product without frames, at all or on one grid."""
    where = f" on grid {grid[:60]!r}" if grid else ""
    return UnknownProduct(
        expected="a product of which there are frames (GET /frames lists them)",
        got=f"{product[:60]!r}{where}",
        remedy="add frames with POST /frames, or send them in the body",
    )
