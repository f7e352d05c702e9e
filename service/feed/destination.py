"""The interface of the feed's history, in Redis or behind a running service."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from radar.sequence import FrameSequence
from service.history.codec import SeriesKey, StoredFrame


class FeedHistory(Protocol):
    """A history for the feed, such as every `service.history.store.EncodedHistory`; methods raise StoreUnavailable."""

    retention: timedelta

    def epoch(self) -> str:
        """A text that changes when frames may have been lost."""

    def products(self) -> list[SeriesKey]:
        """Every product and grid with frames."""

    def times(self, product: str, grid: str) -> list[datetime]:
        """The times of all frames, oldest first."""

    def newest(self, series: SeriesKey, count: int) -> list[StoredFrame]:
        """The newest `count` frames, for comparisons; none if the history makes the comparisons."""

    def mark_fed(self, series: SeriesKey) -> None:
        """Note that the feed brings this series: requests that name no series use it."""

    def append(self, frames: FrameSequence) -> None:
        """Keep frames; raises InvalidRequest if that fails, FrameQuarantined if quality control rejects them."""
