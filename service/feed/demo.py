"""A synthetic storm over Germany that lasts as long as the service runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice

import numpy as np
from anyio.to_thread import run_sync

from radar.demo import floor_to_step
from radar.errors import RaincellError
from radar.grid import grid_named
from radar.products import DEMO
from radar.sequence import Float32, FrameSequence, times_after
from radar.synthetic import storm_frames
from service.history.codec import series_of
from service.history.history import History

PRODUCT, GRID, STEP_MINUTES = DEMO, "radolan", 5
FIRST_FRAMES = 13
"""An hour, both ends included."""
_SEED = 20
_logger = logging.getLogger("raincell")


class Demo:
    """Puts the storm's frames into the history: one hour at first, then one every five minutes."""

    def __init__(self, history: History, clock: Callable[[], datetime]) -> None:
        self._history = history
        self._clock = clock
        self._storm: Iterator[Float32] = storm_frames(grid_named(GRID), seed=_SEED, timestep_minutes=STEP_MINUTES)
        self._next_time = floor_to_step(clock()) - timedelta(minutes=STEP_MINUTES * (FIRST_FRAMES - 1))

    def catch_up(self) -> None:
        """Add all frames that are due."""
        due = (self._clock() - self._next_time) // timedelta(minutes=STEP_MINUTES) + 1
        if due <= 0:
            return
        kept = min(due, FIRST_FRAMES)  # after a long sleep only the newest hour matters
        start = self._next_time + timedelta(minutes=STEP_MINUTES * (due - kept - 1))
        frames = FrameSequence(
            rain_rate=np.stack(list(islice(self._storm, kept))),
            valid_times=times_after(start, kept, STEP_MINUTES),
            grid=grid_named(GRID),
            timestep_minutes=STEP_MINUTES,
            product=PRODUCT,
        )
        self._history.append(frames)
        self._history.mark_fed(series_of(frames))
        self._next_time = frames.valid_times[-1] + timedelta(minutes=STEP_MINUTES)

    async def run(self) -> None:
        """Add frames until cancelled."""
        while True:
            await asyncio.sleep(max(1.0, (self._next_time - self._clock()).total_seconds()))
            try:
                await run_sync(self.catch_up)
            except RaincellError as error:
                _logger.warning("the demo's frame was not stored: %s", error)
