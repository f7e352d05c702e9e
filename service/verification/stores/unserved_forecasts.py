"""Forecasts of shadow models and baselines beside a run, from the same frames, made only to be scored."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol

from service.history.codec import StoredFrame
from service.runs.run import tag_of
from service.runs.shares.run_shares import RunShares

MOST_RUNS = 48
"""Runs of one series whose unserved forecasts a process without Redis keeps."""


class UnservedForecasts(Protocol):
    """Forecasts by run and maker. Raises StoreUnavailable."""

    def put(self, run_id: str, maker: str, frames: Mapping[int, StoredFrame]) -> None:
        """Keep a forecast, by lead minutes; another of the same maker is replaced. Raises NoRoomForRun."""

    def at(self, run_id: str, minutes: int) -> dict[str, StoredFrame]:
        """The forecasts beside a run for one lead time, by maker."""


class MemoryUnservedForecasts:
    """Forecasts in this process's memory; see UnservedForecasts."""

    def __init__(self, most: int = MOST_RUNS, shares: RunShares | None = None) -> None:
        self._most = most
        self._shares = shares or RunShares()
        self._kept: dict[str, dict[str, Mapping[int, StoredFrame]]] = {}
        self._guard = threading.Lock()

    def put(self, run_id: str, maker: str, frames: Mapping[int, StoredFrame]) -> None:
        """See UnservedForecasts."""
        with self._guard:
            held = {
                f"{run}:{one}": bytes_of(made)
                for run, makers in self._kept.items()
                for one, made in makers.items()
                if (run, one) != (run_id, maker)
            }
            for gone in self._shares.to_let_go(f"{run_id}:{maker}", bytes_of(frames), held):
                run, _, one = gone.partition(":")
                del self._kept[run][one]
            self._kept[run_id] = {**self._kept.get(run_id, {}), maker: dict(frames)}
            series = [known for known in self._kept if tag_of(known) == tag_of(run_id)]
            for old in series[: -self._most]:
                del self._kept[old]
            self._kept = {run: makers for run, makers in self._kept.items() if makers}

    def at(self, run_id: str, minutes: int) -> dict[str, StoredFrame]:
        """See UnservedForecasts."""
        kept = self._kept.get(run_id, {})
        return {maker: frames[minutes] for maker, frames in kept.items() if minutes in frames}


def bytes_of(frames: Mapping[int, StoredFrame]) -> int:
    """Of a forecast's frames."""
    return sum(len(frame.data) for frame in frames.values())
