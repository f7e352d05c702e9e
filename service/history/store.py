"""The recent frames of every product, the input of forecasts."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from radar.errors import IncompleteHistory, InvalidRequest
from radar.sequence import FrameSequence, check_spacing, iso
from radar.times import gaps as times_missing
from service.errors import StoredHistoryIncomplete
from service.history.beginnings import Beginnings, MemoryBeginnings
from service.history.codec import FrameHeader, SeriesKey, StoredFrame, decode, encode, series_of
from service.history.fed_marks import brought, marked
from service.history.frame_rules import Held, check_clock, check_fits, check_frames, check_place
from service.history.frame_shares import Shares, check_room
from service.history.series import unknown_product

MOST_WITHDRAWN = 10_000
"""The most withdrawals that a process keeps."""


class EncodedHistory(ABC):
    """Keeps frames by product and grid; retention counts from a product's newest frame.

    The stores differ in a few operations on encoded frames, which are abstract here.

    Withdrawals are kept as long as frames, so that a copy of a withdrawn frame does not return. A frame that is stored
    after the withdrawal of an earlier one of its time is another frame.
    """

    beginnings: Beginnings
    """The callers that began the series."""

    def __init__(self, retention: timedelta, shares: Shares | None = None) -> None:
        self.retention = retention
        self.shares = shares or Shares()

    @abstractmethod
    def put(self, series: SeriesKey, frames: Sequence[StoredFrame]) -> None:
        """Keep frames of one series, all or none, drop those beyond the retention, and forget their withdrawals."""

    @abstractmethod
    def restore(self, series: SeriesKey, frames: Sequence[StoredFrame]) -> None:
        """As `put`, but only for times without a frame, and without frames that were withdrawn after their storage."""

    @abstractmethod
    def newest(self, series: SeriesKey, count: int) -> list[StoredFrame]:
        """The newest `count` frames, oldest first; fewer if there are fewer."""

    @abstractmethod
    def newest_header(self, series: SeriesKey) -> FrameHeader | None:
        """The header of the newest frame, without its data."""

    @abstractmethod
    def series_bytes(self, series: Sequence[SeriesKey]) -> list[int]:
        """Bytes of the data of each series."""

    @abstractmethod
    def frame_bytes(self, series: SeriesKey, times: Collection[datetime]) -> int:
        """Bytes of the data of the frames of these times together."""

    @abstractmethod
    def times(self, product: str, grid: str) -> list[datetime]:
        """The times of all frames, oldest first; none if there are none."""

    @abstractmethod
    def products(self) -> list[SeriesKey]:
        """Every product and grid of which there are frames."""

    @abstractmethod
    def bury(self, series: SeriesKey, time: datetime, at: float) -> bool:
        """Take the frame of `time` away and remember that it was withdrawn at `at`; whether there was one.

        A frame that was stored after `at` stays, and nothing is remembered.
        """

    @abstractmethod
    def withdrawn(self, series: SeriesKey) -> dict[datetime, float]:
        """The times of withdrawn frames, and when they were withdrawn."""

    @abstractmethod
    def mark_fed(self, series: SeriesKey) -> None:
        """Note that the feed brings this series; see `service.history.fed_marks`."""

    @abstractmethod
    def fed(self) -> set[SeriesKey]:
        """The series that the feed brings."""

    def now(self) -> float:
        """Seconds since 1970, by the clock that orders storage and withdrawals."""
        return time.time()

    def epoch(self) -> str:
        """A text that changes when the store has lost its frames, or other processes withdrew some."""
        return "memory"

    def append(self, frames: FrameSequence, who: str | None = None) -> None:
        """Keep frames; a stored frame of the same time is replaced.

        Parameters
        ----------
        who : str or None
            The caller whose share they count for; None is the operator. See `service.history.frame_shares`.

        Raises
        ------
        InvalidRequest
            A frame does not fit (see `check`), or exceeds the share of its series or caller.
        StoreFull
            There is no room.
        """
        self.put(series_of(frames), self.admit(frames, who))

    def admit(self, frames: FrameSequence, who: str | None = None) -> list[StoredFrame]:
        """Frames in stored form, with their series begun; raises as `append`, before anything is written."""
        self.check(frames)
        series, encoded = series_of(frames), stamped(encode(frames), self.now())
        check_room(self, series, encoded, who)
        if who is not None:
            self.beginnings.begin(series, who, self.products(), self.shares.series, self.now())
        return encoded

    def latest(self, product: str, grid: str, count: int) -> FrameSequence:
        """The newest `count` frames of a product on the grid of that key; raises as `decode_history`."""
        return decode_history(self.newest(SeriesKey(product, grid), count), product, count)

    def withdraw(self, product: str, time: datetime, at: float | None = None) -> bool:
        """Withdraw the frames of a time on all grids, as of `at` (None: now); returns whether there were any."""
        at = self.now() if at is None else at
        series = [each for each in self.products() if each.product == product and time in self.times(*each)]
        removed = [self.bury(each, time, at) for each in series]
        for empty in (each for each in series if not self.times(*each)):
            self.beginnings.forget(empty)
        return any(removed)

    def check(self, frames: FrameSequence) -> None:
        """Raise InvalidRequest for frames that cannot be kept."""
        check_frames(frames)
        check_clock(frames, self.now())
        series, known = series_of(frames), self.products()
        check_place(series, known)
        check_fits(frames, self._held(frames.product, known), self.retention)
        newest = max([frames.valid_times[-1], *self.times(*series)[-1:]])
        if frames.valid_times[0] <= newest - self.retention:
            raise InvalidRequest(
                expected=f"frames of {frames.product} after {iso(newest - self.retention)}, since its newest is of"
                f" {iso(newest)} and {self.retention.total_seconds() / 60:g} minutes are kept",
                got=iso(frames.valid_times[0]),
                remedy="send only newer frames, or send these under another product name",
            )

    def _held(self, product: str, known: Iterable[SeriesKey]) -> list[Held]:
        mine = [series for series in known if series.product == product]
        newest = [(series, self.newest_header(series)) for series in mine]
        return [Held(series, header) for series, header in newest if header]


class MemoryHistory(EncodedHistory):
    """Frames in this process's memory, as compact as in Redis; gone when it ends."""

    def __init__(self, retention: timedelta, shares: Shares | None = None) -> None:
        super().__init__(retention, shares)
        self.beginnings = MemoryBeginnings()
        self._frames: dict[SeriesKey, dict[datetime, StoredFrame]] = {}
        self._withdrawn: dict[tuple[SeriesKey, datetime], float] = {}
        self._fed: dict[SeriesKey, float] = {}
        self._lock = threading.Lock()

    def put(self, series: SeriesKey, frames: Sequence[StoredFrame]) -> None:
        """See EncodedHistory."""
        with self._lock:
            self._put(series, frames)

    def restore(self, series: SeriesKey, frames: Sequence[StoredFrame]) -> None:
        """See EncodedHistory."""
        with self._lock:
            if lost := lost_of(frames, self._frames.get(series, {}), self.withdrawn(series)):
                self._put(series, lost)

    def _put(self, series: SeriesKey, frames: Sequence[StoredFrame]) -> None:
        kept = self._frames.get(series, {}) | {frame.valid_time: frame for frame in frames}
        oldest = max(kept) - self.retention
        self._frames[series] = {time: kept[time] for time in sorted(kept) if time > oldest}
        stored = {frame.valid_time: frame.header.stored_at for frame in frames}
        for key, at in list(self._withdrawn.items()):
            if key[0] == series and (key[1] <= oldest or at < stored.get(key[1], at)):
                del self._withdrawn[key]

    def keep_only(self, series: SeriesKey, newest: Sequence[StoredFrame]) -> None:
        """Make these the newest frames: others since the first of them were withdrawn elsewhere, and go."""
        with self._lock:
            earlier = self._frames.get(series, {})
            first = newest[0].valid_time
            self._frames[series] = {time: frame for time, frame in earlier.items() if time < first}
        self.put(series, newest)

    def newest(self, series: SeriesKey, count: int) -> list[StoredFrame]:
        """See EncodedHistory."""
        return list(self._frames.get(series, {}).values())[-count:]

    def newest_header(self, series: SeriesKey) -> FrameHeader | None:
        """See EncodedHistory."""
        return next((frame.header for frame in self.newest(series, 1)), None)

    def series_bytes(self, series: Sequence[SeriesKey]) -> list[int]:
        """See EncodedHistory."""
        return [sum(len(frame.data) for frame in self.newest(each, 10**6)) for each in series]

    def frame_bytes(self, series: SeriesKey, times: Collection[datetime]) -> int:
        """See EncodedHistory."""
        frames = self._frames.get(series, {})
        return sum(len(frames[time].data) for time in times if time in frames)

    def times(self, product: str, grid: str) -> list[datetime]:
        """See EncodedHistory."""
        return list(self._frames.get(SeriesKey(product, grid), {}))

    def products(self) -> list[SeriesKey]:
        """See EncodedHistory."""
        return sorted(self._frames.copy())

    def bury(self, series: SeriesKey, time: datetime, at: float) -> bool:
        """See EncodedHistory."""
        with self._lock:
            kept = dict(self._frames.get(series, {}))
            found = kept.get(time)
            if found and found.header.stored_at > at:
                return False
            self._withdrawn[series, time] = max(at, self._withdrawn.get((series, time), at))
            while len(self._withdrawn) > MOST_WITHDRAWN:
                del self._withdrawn[next(iter(self._withdrawn))]
            if found:
                del kept[time]
                self._frames[series] = kept
                if not kept:
                    del self._frames[series]
            return found is not None

    def withdrawn(self, series: SeriesKey) -> dict[datetime, float]:
        """See EncodedHistory."""
        return {time: at for (known, time), at in self._withdrawn.copy().items() if known == series}

    def mark_fed(self, series: SeriesKey) -> None:
        """See EncodedHistory."""
        with self._lock:
            self._fed = marked(self._fed, series, self.now())

    def fed(self) -> set[SeriesKey]:
        """See EncodedHistory."""
        return brought(self._fed)

    def known(self) -> set[SeriesKey]:
        """Every series that has frames, or had frames that were withdrawn."""
        return {*self._frames.copy(), *(series for series, _ in self._withdrawn.copy())}


def stamped(frames: Sequence[StoredFrame], at: float) -> list[StoredFrame]:
    """The same frames, accepted at `at`."""
    return [replace(frame, header=frame.header.model_copy(update={"stored_at": at})) for frame in frames]


def lost_of(
    frames: Iterable[StoredFrame], there: Container[datetime], withdrawn: Mapping[datetime, float]
) -> list[StoredFrame]:
    """The frames of times without a frame, without those that were withdrawn after their storage."""
    never = float("-inf")
    missing = [frame for frame in frames if frame.valid_time not in there]
    return [frame for frame in missing if withdrawn.get(frame.valid_time, never) < frame.header.stored_at]


def decode_history(stored: Sequence[StoredFrame], product: str, count: int) -> FrameSequence:
    """Stored frames as a sequence of `count`; raises UnknownProduct or StoredHistoryIncomplete if that fails."""
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


def gaps(times: Sequence[datetime], timestep_minutes: int) -> list[datetime]:
    """The times missing between the first and the last, at most a thousand."""
    step = timedelta(minutes=timestep_minutes)
    found = ((first, (last - first) // step + 1) for first, last in times_missing(times, step))
    return list(islice((first + k * step for first, count in found for k in range(count)), 1000))
