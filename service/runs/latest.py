"""The run for requests that name none."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from radar.errors import RaincellError, StoreUnavailable, UnknownProduct
from service.errors import NoRunYet
from service.history.codec import SeriesKey
from service.history.history import History, Reading
from service.history.series import choose
from service.runs.run import Run
from service.runs.runs import FRESH_SECONDS, Runs


class Latest:
    """Finds the latest run of a product, by default of the only one.

    Parameters
    ----------
    default_product : str or None
        The product of requests that name none; None if the stored frames decide.
    clock : callable
        Returns seconds, monotonic.
    """

    def __init__(
        self,
        history: History,
        runs: Runs,
        default_product: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.default_product = default_product
        self._history = history
        self._runs = runs
        self._clock = clock
        self._known: tuple[float, list[SeriesKey]] = (float("-inf"), [])
        self._fed: set[SeriesKey] = set()

    def at_hand(self, product: str | None, grid: str | None) -> Reading[Run] | None:
        """As `find`, but None if the stores would have to be queried: it takes no time."""
        until, known = self._known
        if self._clock() >= until:
            return None
        try:
            reading = self._runs.fresh(choose(known, product or self.default_product, grid, self._fed))
        except RaincellError:
            return None  # it may have been made meanwhile
        return Reading(reading.value, reading.degraded) if reading and reading.value else None

    def find(self, product: str | None, grid: str | None) -> Reading[Run]:
        """The latest run.

        Raises
        ------
        UnknownProduct
            The product has no frames.
        InvalidRequest
            There are several products or grids, and none is named.
        NoRunYet
            There are frames, but no run yet.
        StoreUnavailable
        """
        series = self.choose(self._series(), product, grid)
        run, degraded = self._runs.latest(series)
        if run is None:
            raise NoRunYet(
                expected=f"a run of {series.product} on {series.grid}",
                got="frames, of which the first run is still being made, or has no room (RAINCELL_RUNS_MB)",
                remedy="ask again in a few seconds",
            )
        return Reading(run, degraded)

    def choose(self, known: Collection[SeriesKey], product: str | None, grid: str | None) -> SeriesKey:
        """The series of a request; raises as `find`."""
        try:
            return choose(known, product or self.default_product, grid, self._fed)
        except UnknownProduct as error:
            if product is not None or self.default_product is None:
                raise
            raise _no_frames_of_default(error, known) from None

    def choose_now(self, product: str | None, grid: str | None) -> SeriesKey:
        """The series of a request, among the current ones; raises as `find`."""
        return self.choose(self._series(), product, grid)

    def _series(self) -> list[SeriesKey]:
        try:
            known = self._history.products().value
            self._fed = self._history.fed()
        except StoreUnavailable:
            known = self._runs.series()
            if not known:
                raise
        self._known = (self._clock() + FRESH_SECONDS, known)
        return known


def _no_frames_of_default(error: UnknownProduct, known: Collection[SeriesKey]) -> UnknownProduct:
    """The error for a request without a product if the operator's default product has no frames."""
    others = ", ".join(sorted({series.product for series in known}))
    named = f"name one of {others} with product=" if others else "ask again when its frames have come"
    return UnknownProduct(
        expected=error.expected,
        got=f"{error.got}, which RAINCELL_DEFAULT_PRODUCT names and no request did",
        remedy=f"{named}; the operator corrects the setting, or adds frames of that product",
    )
