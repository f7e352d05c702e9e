"""The history as the feed needs it, in Redis or behind a running service."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from radar.sequence import FrameSequence
from service.history.codec import SeriesKey, StoredFrame


class FeedHistory(Protocol):
    """A history that takes frames; every `service.history.store.EncodedHistory` is one. All raise StoreUnavailable."""

    retention: timedelta

    def epoch(self) -> str:
        """A text that changes when frames may have been lost."""

    def products(self) -> list[SeriesKey]:
        """Every product and grid of which there are frames."""

    def times(self, product: str, grid: str) -> list[datetime]:
        """The times of all frames, oldest first."""

    def newest(self, series: SeriesKey, count: int) -> list[StoredFrame]:
        """The newest `count` frames, to compare with; none where the history does the comparing."""

    def mark_fed(self, series: SeriesKey) -> None:
        """Remember that the feed brings this series: it is the one that is meant where none is named."""

    def append(self, frames: FrameSequence) -> None:
        """Keep frames; InvalidRequest if they could not be kept, FrameQuarantined if they are not believed."""
