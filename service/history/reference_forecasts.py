"""External forecasts, DWD's RV, kept until the frames for a comparison have arrived."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from radar.errors import IncompleteHistory, InvalidRequest
from radar.sequence import FrameSequence
from service.history.codec import SeriesKey, StoredFrame, decode, encode, series_of

REFERENCE_RETENTION = timedelta(hours=4)
"""Counted from a series' newest forecast: two hours of lead time, and two more for late frames."""


class ReferenceForecasts(ABC):
    """Forecasts by product, grid and reference time, stored like observed frames (0.012 mm/h, NaN stays NaN).

    Parameters
    ----------
    retention : timedelta
        Forecasts that are older than the newest of their series by more than this are dropped.
    """

    def __init__(self, retention: timedelta = REFERENCE_RETENTION) -> None:
        self.retention = retention

    def put(self, forecast: FrameSequence) -> None:
        """Keep a forecast; one of the same reference time is replaced, one beyond the retention is not kept.

        Raises
        ------
        InvalidRequest
            The frames are observations, or a forecast without a product.
        StoreUnavailable
            Redis does not answer.
        """
        if forecast.reference_time is None or not forecast.product:
            got = "observations" if forecast.reference_time is None else "one without a product"
            raise InvalidRequest(expected="a forecast of a product", got=got, remedy="keep observations in the history")
        self.keep(series_of(forecast), forecast.reference_time, encode(forecast))

    def get(self, series: SeriesKey, reference_time: datetime) -> FrameSequence | None:
        """The forecast made at a time, or None; raises StoreUnavailable."""
        stored = self.stored(series, reference_time)
        try:
            return replace(decode(stored), reference_time=reference_time) if stored else None
        except IncompleteHistory:  # a part of it was evicted
            return None

    @abstractmethod
    def reference_times(self, series: SeriesKey) -> list[datetime]:
        """The reference times of the kept forecasts of a series, oldest first."""

    @abstractmethod
    def keep(self, series: SeriesKey, reference_time: datetime, frames: Sequence[StoredFrame]) -> None:
        """Keep the encoded frames of one forecast, all or none, and drop forecasts beyond the retention."""

    @abstractmethod
    def stored(self, series: SeriesKey, reference_time: datetime) -> list[StoredFrame]:
        """The encoded frames of one forecast in order of time; empty if it is missing."""


class MemoryReferences(ReferenceForecasts):
    """Forecasts in this process's memory, lost when it ends."""

    def __init__(self, retention: timedelta = REFERENCE_RETENTION) -> None:
        super().__init__(retention)
        self._kept: dict[SeriesKey, dict[datetime, list[StoredFrame]]] = {}
        self._lock = threading.Lock()

    def reference_times(self, series: SeriesKey) -> list[datetime]:
        """See ReferenceForecasts."""
        return list(self._kept.get(series, {}))

    def keep(self, series: SeriesKey, reference_time: datetime, frames: Sequence[StoredFrame]) -> None:
        """See ReferenceForecasts."""
        with self._lock:
            kept = {**self._kept.get(series, {}), reference_time: list(frames)}
            oldest = max(kept) - self.retention
            self._kept[series] = {time: kept[time] for time in sorted(kept) if time > oldest}

    def stored(self, series: SeriesKey, reference_time: datetime) -> list[StoredFrame]:
        """See ReferenceForecasts."""
        return self._kept.get(series, {}).get(reference_time, [])
