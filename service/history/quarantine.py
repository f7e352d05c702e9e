"""Rejected frames: they are kept out of the history, counted, and listed for inspection."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from radar.quality import Flaw, find_flaws
from radar.sequence import FrameSequence, iso
from service.errors import FrameQuarantined
from service.history.codec import SeriesKey, StoredFrame, decode
from service.history.frame_rules import is_known

MOST_ENTRIES = 100
"""The most listed entries, see `outdated`; a removed frame is listed again if it arrives again."""


class QuarantineEntry(BaseModel):
    """One frame, or one file of the feed whose frame could not be read.

    `time` is the frame's (for an unreadable file the one in its name, or null), `noted_at` the time of arrival.
    """

    model_config = ConfigDict(frozen=True)

    product: str
    grid: str | None
    time: datetime | None
    reason: str
    detail: str
    origin: Literal["post", "feed"]
    noted_at: datetime
    file: str | None = None

    @property
    def key(self) -> str:
        """The identity of an entry: product and time, or else the file."""
        return f"{self.product}|{iso(self.time) if self.time else self.file}"


class QuarantineList(Protocol):
    """Remembers `MOST_ENTRIES`."""

    def put(self, entry: QuarantineEntry) -> None:
        """Add an entry; of two for one frame the later one stays. Raises StoreUnavailable."""

    def entries(self) -> list[QuarantineEntry]:
        """All entries, the newest first. Raises StoreUnavailable."""

    def clear(self, product: str, times: Iterable[datetime]) -> None:
        """Remove the frames of these times, which were accepted later. Raises StoreUnavailable."""


class MemoryQuarantine:
    """A QuarantineList in this process's memory."""

    def __init__(self) -> None:
        self._entries: dict[str, QuarantineEntry] = {}
        self._lock = threading.Lock()

    def put(self, entry: QuarantineEntry) -> None:
        """See QuarantineList."""
        with self._lock:
            self._entries[entry.key] = entry
            for old in outdated(self._entries.values()):
                del self._entries[old.key]

    def entries(self) -> list[QuarantineEntry]:
        """See QuarantineList."""
        with self._lock:
            return newest_first(self._entries.values())

    def clear(self, product: str, times: Iterable[datetime]) -> None:
        """See QuarantineList."""
        with self._lock:
            for time in times:
                self._entries.pop(frame_key(product, time), None)


class Counts:
    """Counts of quarantined frames by reason, with a listener.

    Parameters
    ----------
    listener : callable or None
        Called with the reason, e.g. to count it in a metric.
    """

    def __init__(self, listener: Callable[[str], None] | None = None) -> None:
        self.by_reason: Counter[str] = Counter()
        self.listener = listener

    def add(self, reason: str) -> None:
        """One more."""
        self.by_reason[reason] += 1
        if self.listener:
            self.listener(reason)


def newest_first(entries: Iterable[QuarantineEntry]) -> list[QuarantineEntry]:
    """Entries in order of arrival, the newest first."""
    return sorted(entries, key=lambda entry: (entry.noted_at, entry.key), reverse=True)


def outdated(entries: Iterable[QuarantineEntry]) -> list[QuarantineEntry]:
    """The entries to remove so that `MOST_ENTRIES` stay: repeatedly the oldest of the product with the most entries.

    A product that floods the list therefore removes only its own entries. Among equals, unknown products go first.
    """
    kept: dict[str, list[QuarantineEntry]] = {}
    for entry in newest_first(entries):
        kept.setdefault(entry.product, []).append(entry)
    gone = []
    for _ in range(sum(map(len, kept.values())) - MOST_ENTRIES):
        gone.append(max(filter(None, kept.values()), key=_goes_first).pop())
    return gone


def _goes_first(group: list[QuarantineEntry]) -> tuple[int, bool, float]:
    return len(group), not is_known(group[-1].product), -group[-1].noted_at.timestamp()


def frame_key(product: str, time: datetime) -> str:
    """The key of an entry with a time."""
    return f"{product}|{iso(time)}"


def frame_before(
    times: list[datetime], newest: Callable[[int], list[StoredFrame]], time: datetime, within: timedelta
) -> FrameSequence | None:
    """The stored frame before `time`, for comparison with new frames, unless it is older than `within`.

    Parameters
    ----------
    times : list of datetime
        Times of the stored frames of one series, oldest first.
    newest : callable
        Returns the given number of newest frames.
    """
    earlier = [stored for stored in times if time - within <= stored < time]
    if not earlier:
        return None
    found = newest(len(times) - times.index(earlier[-1]))
    # Others may have arrived meanwhile, and the store may have dropped this one.
    before = [frame for frame in found if time - within <= frame.valid_time < time]
    return decode(before[-1:]) if before else None


def control_quality(frames: FrameSequence, before: FrameSequence | None) -> None:
    """Raise FrameQuarantined, with all flaws, if quality control rejects a frame."""
    flaws = find_flaws(frames, before)
    if flaws:
        raise FrameQuarantined(flaws)


def entries_of(
    error: FrameQuarantined, series: SeriesKey, origin: Literal["post", "feed"], now: datetime, file: str | None = None
) -> list[QuarantineEntry]:
    """The entries of a refusal."""
    return [_entry(flaw, time, series, origin, now, file) for time, flaw in error.flaws.items()]


def _entry(
    flaw: Flaw, time: datetime, series: SeriesKey, origin: Literal["post", "feed"], now: datetime, file: str | None
) -> QuarantineEntry:
    return QuarantineEntry(
        product=series.product,
        grid=series.grid,
        time=time,
        reason=flaw.reason,
        detail=f"expected {flaw.expected}, got {flaw.got}",
        origin=origin,
        noted_at=now,
        file=file,
    )
