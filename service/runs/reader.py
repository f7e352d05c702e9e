"""The numbers of runs, decoded on demand and cached."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from models.exceedance.odds import Odds, Statistic, amounts
from radar.counts import rates
from radar.sequence import Float32
from service.history.codec import StoredFrame, counts_of
from service.runs.cache import Cache
from service.runs.coverage import Mask, unpack
from service.runs.odds.codec import unpack as unpack_odds
from service.runs.run import Run, earlier_runs
from service.runs.runs import FRESH_SECONDS, Runs

THRESHOLDS = (0.1, 1.0, 5.0, 10.0)
"""Thresholds in mm/h of the probabilities of exceedance."""
NO_DATA = 255
"""The class of a pixel without data."""

_EARLIER_SECONDS = 10.0
_INDEX_BYTES = 10_000

Classes = npt.NDArray[np.uint8]
Window = tuple[slice, slice]
"""Rows and columns of a grid."""
WHOLE: Window = (slice(None), slice(None))


def _index_key(run_id: str) -> tuple[str, str, int]:
    return run_id, "index", int(time.monotonic() / FRESH_SECONDS)


class RunReader:
    """Reads runs from their store, through a cache.

    Parameters
    ----------
    runs : Runs
    cache : Cache
    """

    def __init__(self, runs: Runs, cache: Cache) -> None:
        self._runs = runs
        self._cache = cache

    def index(self, run_id: str) -> Run:
        """A run by its id, which never changes; raises as `Runs.get`."""
        run = self._runs.get(run_id)
        self._cache.keep(_index_key(run_id), run, _INDEX_BYTES)
        return run

    def at_hand(self, run_id: str) -> Run | None:
        """As `index`, but None if the store would have to be queried: it takes no time.

        A run counts as existing only for a second or two, so that an expired run is reported as expired.
        """
        found: Run | None = self._cache.find(_index_key(run_id))
        return found

    def earlier(self, run: Run) -> list[Run]:
        """The earlier runs that `service.runs.probability` pools with a run; they may be seconds out of date."""

        def make() -> tuple[list[Run], int]:
            return earlier_runs(run, self._runs.runs(run.series)), _INDEX_BYTES

        return self._cache.get((run.id, "earlier", int(time.monotonic() / _EARLIER_SECONDS)), make)

    def rain(self, run: Run, minutes: Sequence[int], window: Window = WHOLE) -> Float32:
        """Frames of a run in mm/h, (len(minutes), H, W) or their window, NaN = no data."""
        frames = self._runs.frames(run.id, minutes)
        first = rates(frames[0].header.scale)[counts_of(frames[0])][window]
        rain = np.empty((len(frames), *first.shape), np.float32)
        rain[0] = first
        for place, frame in enumerate(frames[1:], 1):
            rain[place] = rates(frame.header.scale)[counts_of(frame)[window]]
        return rain

    def statistic(
        self, run: Run, minutes: Sequence[int], statistic: Statistic = "matched", window: Window = WHOLE
    ) -> Float32:
        """As `rain`, of lead times with another statistic of the run's distribution, which it must have."""
        if statistic == "matched":
            return self.rain(run, minutes, window)
        shape = [len(range(size)[part]) for size, part in zip(run.grid.shape, window, strict=True)]
        rain = np.empty((len(minutes), *shape), np.float32)
        for place, minute in enumerate(minutes):
            rain[place] = amounts(self._decoded_odds(run, minute)[:, *window], run.thresholds, statistic)
        return rain

    def odds(self, run: Run, minute: int) -> Odds:
        """The odds (K, H, W) of a run's thresholds at a lead time, cached; for a run with a distribution."""

        def make() -> tuple[Odds, int]:
            odds = self._decoded_odds(run, minute)
            return odds, odds.nbytes

        return self._cache.get((run.id, "odds", minute), make)

    def _decoded_odds(self, run: Run, minute: int) -> Odds:
        (packed,) = self._runs.odds(run.id, [minute])
        return unpack_odds(packed, (len(run.thresholds), *run.grid.shape))

    def at(
        self,
        run: Run,
        minutes: Sequence[int],
        rows: npt.NDArray[np.int64],
        columns: npt.NDArray[np.int64],
        statistic: Statistic = "matched",
    ) -> Float32:
        """Rates in mm/h at places (P,), as (len(minutes), P); the whole frames are cached for later requests.

        Those of lead times are of a statistic that the run must have, those of observed frames are as observed.
        """
        of_odds = set[int]() if statistic == "matched" else set(run.lead_minutes)
        self._load(run, [minute for minute in minutes if minute not in of_odds])
        values = np.empty((len(minutes), len(rows)), np.float32)
        for place, minute in enumerate(minutes):
            if minute in of_odds:
                values[place] = amounts(self.odds(run, minute)[:, rows, columns], run.thresholds, statistic)
                continue
            counts, scale = self._counts(run, minute)
            values[place] = rates(scale)[counts[rows, columns]]
        return values

    def classes(self, run: Run, minute: int) -> Classes:
        """The number of `THRESHOLDS` that each pixel (H, W) of a frame reaches; NO_DATA without data."""

        def make() -> tuple[Classes, int]:
            (frame,) = self._runs.frames(run.id, [minute])
            classes = _class_of_count(frame.header.scale)[counts_of(frame)]
            return classes, classes.nbytes

        return self._cache.get((run.id, "classes", minute), make)

    def covered(self, run: Run) -> Mask:
        """The pixels (H, W) that a radar has ever covered."""

        def make() -> tuple[Mask, int]:
            mask = unpack(self._runs.covered(run.id), run.grid.shape)
            return mask, mask.nbytes

        return self._cache.get((run.id, "covered"), make)

    def _counts(self, run: Run, minute: int) -> tuple[npt.NDArray[np.uint16], float]:
        def make() -> tuple[tuple[npt.NDArray[np.uint16], float], int]:
            return _decoded(self._runs.frames(run.id, [minute])[0])

        return self._cache.get((run.id, "counts", minute), make)

    def _load(self, run: Run, minutes: Sequence[int]) -> None:
        """Fetch all missing frames at once: a round trip for each frame would take longer than decoding it."""
        missing = [minute for minute in minutes if self._cache.find((run.id, "counts", minute)) is None]
        if len(missing) > 1:
            for minute, frame in zip(missing, self._runs.frames(run.id, missing), strict=True):
                decoded, size = _decoded(frame)
                self._cache.keep((run.id, "counts", minute), decoded, size)


def _decoded(frame: StoredFrame) -> tuple[tuple[npt.NDArray[np.uint16], float], int]:
    counts = counts_of(frame)
    return (counts, frame.header.scale), counts.nbytes


@lru_cache(maxsize=8)
def _class_of_count(scale: float) -> Classes:
    table = rates(scale)
    classes = np.digitize(table, THRESHOLDS).astype(np.uint8)
    classes[np.isnan(table)] = NO_DATA
    return classes
