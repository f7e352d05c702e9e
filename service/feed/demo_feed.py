"""The demo as a feed: synthetic storms into Redis, for all replicas, and into the archive."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

import numpy as np

from radar.archive.archive import Archive
from radar.demo import floor_to_step
from radar.errors import InvalidRequest, RaincellError
from radar.grid import grid_named
from radar.sequence import FrameSequence, times_after
from radar.synthetic import storm_frames
from service.feed.demo import GRID, PRODUCT, STEP_MINUTES
from service.history.codec import series_of
from service.history.store import EncodedHistory
from service.settings import Settings
from service.stores import open_stores

STEP = timedelta(minutes=STEP_MINUTES)
_AT_A_TIME = 12
"""Frames made at a time: an hour, so that days of them need little memory."""
_SEED = 20
_logger = logging.getLogger("raincell")


class Sink(Protocol):
    """A receiver of frames: a history or an archive."""

    def append(self, frames: FrameSequence, /) -> object:
        """Keep them."""


class DemoFeed:
    """An endless storm, whose frames are given to each of `sinks` when they are due.

    Parameters
    ----------
    sinks : tuple of Sink
    hours : float
        How far before now it begins.
    clock : callable
        Returns the time, UTC.
    """

    def __init__(self, sinks: tuple[Sink, ...], hours: float, clock: Callable[[], datetime]) -> None:
        self._sinks = sinks
        self._clock = clock
        self._storm = storm_frames(grid_named(GRID), seed=_SEED, timestep_minutes=STEP_MINUTES)
        self._next_time = floor_to_step(clock()) - STEP * int(timedelta(hours=hours) / STEP)
        self._waiting: FrameSequence | None = None

    @property
    def seconds_to_next(self) -> float:
        """Seconds until a frame is due; at least one."""
        return max(1.0, (self._next_time - self._clock()).total_seconds())

    def catch_up(self) -> int:
        """Give all due frames to the sinks; returns their number. Frames that a sink refuses are given again later."""
        given = 0
        while self._waiting or self._clock() >= self._next_time:
            frames = self._waiting or self._due()
            self._waiting = frames
            for sink in self._sinks:
                sink.append(frames)
            self._waiting = None
            given += len(frames.valid_times)
        return given

    def _due(self) -> FrameSequence:
        count = min((self._clock() - self._next_time) // STEP + 1, _AT_A_TIME)
        times = times_after(self._next_time - STEP, count, STEP_MINUTES)
        self._next_time = times[-1] + STEP
        return FrameSequence(
            rain_rate=np.stack(list(islice(self._storm, count))),
            valid_times=times,
            grid=grid_named(GRID),
            timestep_minutes=STEP_MINUTES,
            product=PRODUCT,
        )


class _FedHistory:
    """A history that marks its series as fed: requests that name no series use it, as with every feed."""

    def __init__(self, frames: EncodedHistory) -> None:
        self._frames = frames

    def append(self, frames: FrameSequence, who: str | None = None) -> None:
        """See Sink."""
        self._frames.append(frames, who)
        self._frames.mark_fed(series_of(frames))


def feed_storms(settings: Settings, hours: float, clock: Callable[[], datetime], wait: Callable[[float], bool]) -> None:
    """Feed Redis, and the archive if one is named, until `wait` returns that it is time to stop.

    Raises
    ------
    InvalidRequest
        No Redis is named.
    """
    feed = DemoFeed(_sinks(settings), hours, clock)
    while True:
        seconds = 5.0
        try:
            if given := feed.catch_up():
                _logger.info("gave %d synthetic frames", given)
            seconds = feed.seconds_to_next
        except (RaincellError, OSError) as error:
            _logger.warning("the demo's frames were not taken: %s", error)
        if wait(seconds):
            return


def _sinks(settings: Settings) -> tuple[Sink, ...]:
    if settings.redis_url is None:
        raise InvalidRequest(
            expected="RAINCELL_REDIS_URL, the Redis from which the service forecasts",
            got="none",
            remedy="a single service needs no feed: set RAINCELL_DEMO=1 for it",
        )
    history = _FedHistory(open_stores(settings).frames)
    return (history, Archive(settings.archive)) if settings.archive else (history,)
