"""Makes a run whenever a series has new frames: in the background, and on one replica only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import partial

from anyio.to_thread import run_sync

from radar.errors import Overloaded, RaincellError, StoreUnavailable
from radar.sequence import iso
from service.errors import DefaultModelGone, NoRoomForRun, RunExpired, UnknownRun
from service.forecasting.catalogue import Catalogue
from service.forecasting.worker import ForecastThread
from service.history.codec import SeriesKey
from service.history.history import History
from service.runs.inputs import Inputs
from service.runs.make import RunPlan, finish, frames_needed, interim, make_forecast, plan, read_inputs
from service.runs.run import Run, WholeRun
from service.runs.runs import Runs

POLL_SECONDS = 3.0
"""Seconds between two looks at the history: other replicas and feeds add to it too."""
CHECK_SECONDS = 15.0
"""Seconds after which frames are read again although their times are unchanged: one may have been corrected."""
WAIT_SECONDS = 1.0
"""The same while another replica makes a run that this one waits for."""
LOCK_SECONDS = 30.0
"""How long a replica that died while making a run blocks the others."""
INTERIM_SECONDS = 1.5
"""How long the first run of a series may take before a quicker one is served meanwhile."""
RETRY_SECONDS = 60.0
"""How long a run that failed is not tried again."""
FULL_SECONDS = 600.0
"""How long a run for which there was no room is not: it would be computed in vain."""
_logger = logging.getLogger("raincell")


class Runner:
    """Keeps the latest run of every series up to date.

    Parameters
    ----------
    history, runs, worker
        The source of frames, the store of runs, and the forecasting thread.
    catalogue : Catalogue
        Its default model makes the runs.
    lead_minutes : int
        The lead time of runs; bounded by the model's.
    clock : callable
        Returns the current time, UTC.
    on_run : callable
        Called with the method of every run made.
    follow : callable
        Called on the event loop with every run that was made here and published.
    """

    def __init__(
        self,
        history: History,
        runs: Runs,
        worker: ForecastThread,
        catalogue: Catalogue,
        lead_minutes: int,
        clock: Callable[[], datetime],
        lock_seconds: float = LOCK_SECONDS,
        on_run: Callable[[str], object] = lambda _: None,
        follow: Callable[[WholeRun], object] = lambda _: None,
    ) -> None:
        self._history = history
        self._runs = runs
        self._worker = worker
        self._catalogue = catalogue
        self._lead_minutes = lead_minutes
        self._clock = clock
        self._lock_seconds = lock_seconds
        self._on_run = on_run
        self._follow_up = follow
        self._woken = asyncio.Event()
        self._failed: dict[str, float] = {}
        self._known_times: dict[SeriesKey, list[datetime]] = {}
        self._logged_faults: dict[SeriesKey, str] = {}

    def wake(self) -> None:
        """Look at the history at once; call it on the event loop."""
        self._woken.set()

    async def run(self) -> None:
        """Make runs until cancelled."""
        checked = float("-inf")
        while True:
            thorough = self._woken.is_set() or time.monotonic() >= checked + CHECK_SECONDS
            if thorough:
                checked = time.monotonic()
            self._woken.clear()
            settled = await self.look(thorough)
            # Not wait_for, which before Python 3.12 may swallow the cancellation when it is woken at the same moment.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS if settled else WAIT_SECONDS):
                    await self._woken.wait()

    async def look(self, thorough: bool = True) -> bool:
        """Bring every series up to date; False if another replica is about to do it for one of them.

        Unless `thorough`, only series whose times have changed are checked.
        """
        try:
            known = await run_sync(self._history.products)
        except StoreUnavailable:
            return True  # without the store requests are answered from memory, labelled; the next look comes soon
        except Exception:
            _logger.exception("runs could not be brought up to date")
            return True
        return all([await self._follow_alone(series, thorough) for series in known.value])

    async def _follow_alone(self, series: SeriesKey, thorough: bool) -> bool:
        """As `_follow`, but an error in one series does not affect the others."""
        try:
            settled = await self._follow(series, thorough)
            self._logged_faults.pop(series, None)
        except (StoreUnavailable, Overloaded):
            return True  # the next look comes soon
        except DefaultModelGone:
            return True  # service.forecasting.reload has logged it
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
            if self._logged_faults.get(series) != fault:
                self._logged_faults[series] = fault
                _logger.exception("runs of %s could not be brought up to date", "|".join(series))
            return True
        return settled

    async def _follow(self, series: SeriesKey, thorough: bool) -> bool:
        times = (await run_sync(self._history.times, series)).value
        if not thorough and self._known_times.get(series) == times:
            return True
        wanted = await run_sync(self._plan, series)
        if wanted is None or await run_sync(self._settled, series, wanted.id):
            self._known_times[series] = times
            return True
        if time.monotonic() < self._failed.get(wanted.id, 0.0):
            return True
        async with self._locked(series) as token:
            if token is not None:
                await self._catch_up(series, token)
        return token is not None

    def _plan(self, series: SeriesKey) -> RunPlan | None:
        """The run for the newest frames."""
        forecaster = self._catalogue.get(None).forecaster
        newest = self._history.newest(series, frames_needed(forecaster)).value
        return plan(newest, forecaster, self._lead_minutes) if newest else None

    def _settled(self, series: SeriesKey, run_id: str) -> bool:
        """Whether that run is the latest already; the latest run is kept in memory from now on.

        The wanted run may take long to make, and the store may become unavailable meanwhile.
        """
        latest, degraded = self._runs.latest_now(series)
        if latest is None or degraded:
            return False
        with contextlib.suppress(UnknownRun, RunExpired):
            self._runs.remember(latest)
        return latest.id == run_id

    async def _catch_up(self, series: SeriesKey, token: str) -> None:
        """Make the run with the lock held, unless frames or runs have arrived while waiting for the lock."""
        wanted = await run_sync(self._plan, series)
        if wanted is None or await run_sync(self._settled, series, wanted.id):
            return
        if await run_sync(self._point_to, wanted.id, token):
            return
        try:
            await self._make(series, wanted, token)
        except (StoreUnavailable, Overloaded):
            raise
        except Exception as error:
            now = time.monotonic()
            waiting = {run_id: until for run_id, until in self._failed.items() if until > now}
            seconds = FULL_SECONDS if isinstance(error, NoRoomForRun) else RETRY_SECONDS
            self._failed = {**waiting, wanted.id: now + seconds}
            _logger.warning("no run could be made of %s: %s", "|".join(series), error, exc_info=_unexpected(error))

    def _point_to(self, run_id: str, token: str) -> bool:
        """Point to an existing run as the latest, e.g. after a frame was withdrawn."""
        whole = self._runs.remembered(run_id)
        if whole is not None:
            return self._runs.publish(whole, token)  # Redis may have returned empty
        try:
            return self._runs.point(self._runs.get(run_id), token)
        except (UnknownRun, RunExpired):
            return False

    async def _make(self, series: SeriesKey, wanted: RunPlan, token: str) -> None:
        began = time.monotonic()
        before = await run_sync(self._coverage_before, series, wanted)
        inputs = await run_sync(read_inputs, wanted)
        making = asyncio.create_task(self._worker.run(partial(make_forecast, wanted, inputs)))
        try:
            done, _ = await asyncio.wait({making}, timeout=INTERIM_SECONDS)
            if not done and inputs.method == "model":
                await run_sync(self._make_interim, series, wanted, inputs, token)
            made = await making
        finally:
            making.cancel()
        whole = await run_sync(finish, wanted, made, before, self._clock())
        if await run_sync(self._runs.publish, whole, token):
            _log(whole.run, time.monotonic() - began)
            self._on_run(whole.run.method)
            self._follow_up(whole)
        else:
            _logger.warning("run %s came too late: another replica had taken over", wanted.id)

    def _make_interim(self, series: SeriesKey, wanted: RunPlan, inputs: Inputs, token: str) -> None:
        if self._runs.latest_now(series).value is None:
            quick, started = interim(wanted, inputs)
            made = make_forecast(quick, started)
            self._runs.publish(finish(quick, made, None, self._clock()), token)

    def _coverage_before(self, series: SeriesKey, wanted: RunPlan) -> bytes | None:
        latest: Run | None = self._runs.latest_now(series).value
        if latest is None or latest.grid != wanted.stored[-1].header.grid:
            return None
        try:
            return self._runs.covered(latest.id)
        except (UnknownRun, RunExpired):
            return None

    @contextlib.asynccontextmanager
    async def _locked(self, series: SeriesKey) -> AsyncIterator[str | None]:
        """Hold the series' lock during the block; None if another replica has it."""
        token = secrets.token_hex(16)
        if not await run_sync(self._lock, series, token):
            yield None
            return
        holding = asyncio.create_task(self._hold(series, token))
        try:
            yield token
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)  # it may just be renewing the lock
            with contextlib.suppress(StoreUnavailable):
                await run_sync(self._runs.ask, lambda store: store.unlock(series, token))

    def _lock(self, series: SeriesKey, token: str) -> bool:
        return self._runs.ask(lambda store: store.lock(series, token, self._lock_seconds))

    async def _hold(self, series: SeriesKey, token: str) -> None:
        while True:
            await asyncio.sleep(self._lock_seconds / 3)
            with contextlib.suppress(StoreUnavailable):
                await run_sync(self._lock, series, token)


def _log(run: Run, seconds: float) -> None:
    """Log a run in one line."""
    _logger.info(
        "run %s of %s on %s at %s: %d leads by %s (%s %s) in %.1f s%s",
        *(run.id, run.product, run.grid.key, iso(run.reference_time), len(run.lead_minutes), run.method),
        *(run.model, run.version, seconds, f"; degraded: {run.degraded}" if run.degraded else ""),
    )


def _unexpected(error: Exception) -> Exception | None:
    return None if isinstance(error, RaincellError) else error
