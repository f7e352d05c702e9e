"""Shadow models: they forecast beside the champion, are never served, and are scored like the champion.

The model's aliases name them: the challenger, and the previous champion while the new one is on probation. They
forecast after a run is published, in the pauses of the one thread that forecasts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from anyio.to_thread import run_sync

from models.aliases import read_aliases
from models.recurrent import RecurrentForecaster, check_fit
from models.repository import version_file
from radar.errors import IncompleteHistory, Overloaded, RaincellError
from radar.ledger.ledger import model_reference
from service.forecasting.catalogue import Catalogue, Load
from service.forecasting.worker import ForecastThread
from service.history.codec import SeriesKey, StoredFrame, encode
from service.runs.inputs import Inputs, collect_inputs
from service.runs.run import WholeRun
from service.verification.stores.unserved_forecasts import UnservedForecasts

PATIENCE_SECONDS = 240.0
"""How long a shadow waits for the worker to be idle: after that the observation for its first lead is near."""
_PAUSE_SECONDS = 0.2
_logger = logging.getLogger("raincell")


class Shadows:
    """Makes the forecasts of shadow models beside the runs that this replica makes.

    Parameters
    ----------
    repository : Path
    catalogue : Catalogue
        Its default model has the shadows.
    load : callable
        Makes a checked and warm forecaster of a model file.
    worker : ForecastThread
    unserved : UnservedForecasts
        Stores the forecasts.
    clock : callable
        Returns the current time, UTC, which decides when probation ends.
    on_shadow : callable
        Called with the outcome of each forecast: "made", "skipped", "late", "failed".
    """

    def __init__(
        self,
        repository: Path,
        catalogue: Catalogue,
        load: Load,
        worker: ForecastThread,
        unserved: UnservedForecasts,
        clock: Callable[[], datetime],
        on_shadow: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._repository, self._catalogue, self._load = repository, catalogue, load
        self._worker, self._unserved, self._clock = worker, unserved, clock
        self._on_shadow = on_shadow
        self._named: Mapping[str, tuple[str, str]] = {}
        self._models: dict[str, RecurrentForecaster] = {}
        self._refused: dict[str, tuple[object, str]] = {}
        self._waiting: dict[SeriesKey, WholeRun] = {}
        self._woken = asyncio.Event()

    @property
    def references(self) -> list[str]:
        """References of the loaded models."""
        return sorted(self._models)

    @property
    def refused(self) -> dict[str, str]:
        """Why shadows could not be loaded, by reference."""
        return {reference: reason for reference, (_, reason) in self._refused.items()}

    def follow(self, whole: WholeRun) -> None:
        """Forecast beside a published run; call it on the event loop. A run that still waits is dropped as late."""
        if whole.run.interim:
            return
        if whole.run.series in self._waiting and self._models:
            self._on_shadow("late")
        self._waiting[whole.run.series] = whole
        self._woken.set()

    async def run(self) -> None:
        """Make forecasts until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                whole = self._waiting.pop(next(iter(self._waiting)))
                try:
                    await self.forecast_beside(whole)
                except Exception:
                    _logger.exception("shadow forecasts failed")
                    self._on_shadow("failed")

    async def forecast_beside(self, whole: WholeRun) -> None:
        """Make the forecasts of all shadows for a run."""
        await run_sync(self.look)
        for reference, model in list(self._models.items()):
            if reference != model_reference(whole.run.model, whole.run.version):
                self._on_shadow(await self._shadow(whole, reference, model))

    def look(self) -> None:
        """Load the shadows that the aliases name now, and drop the others; in a thread, since loading takes long.

        The error of a shadow that cannot be loaded is logged; it is tried again when its file changes. While the
        aliases cannot be read, the shadows stay.
        """
        self._named = wanted = self._wanted()
        self._models = {reference: model for reference, model in self._models.items() if reference in wanted}
        self._refused = {reference: why for reference, why in self._refused.items() if reference in wanted}
        for reference, (name, version) in wanted.items():
            if reference not in self._models:
                self._add(reference, name, version)

    def _wanted(self) -> Mapping[str, tuple[str, str]]:
        name = self._catalogue.default
        try:
            aliases = read_aliases(self._repository, name)
        except (RaincellError, OSError) as error:
            _logger.warning("shadows of %s stay as they are: %s", name, error)
            return self._named
        serving = self._catalogue.default_card.version
        versions = [aliases.challenger]
        if aliases.probation_until and self._clock() < aliases.probation_until:
            versions.append(aliases.previous)
        return {model_reference(name, v): (name, v) for v in versions if v is not None and v != serving}

    def _add(self, reference: str, name: str, version: str) -> None:
        state = _state(self._repository / name / version)
        if self._refused.get(reference, (None, ""))[0] == state:
            return
        try:
            self._models[reference] = self._load(version_file(self._repository, name, version))
            self._refused.pop(reference, None)
            _logger.info("shadow %s forecasts beside the champion from now on", reference)
        except Exception as error:  # no fault of a shadow's files may end the service
            reason = str(error) if isinstance(error, RaincellError) else f"it cannot be read ({type(error).__name__})"
            self._refused[reference] = state, reason
            _logger.error("shadow %s is refused: %s", reference, reason)

    async def _idle(self) -> bool:
        """Wait until the worker is idle; returns whether it became so in time."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self._worker.waiting or self._worker.inside:
            if self._worker.stopping or time.monotonic() >= until:
                return False
            await asyncio.sleep(_PAUSE_SECONDS)
        return not self._worker.stopping

    async def _shadow(self, whole: WholeRun, reference: str, model: RecurrentForecaster) -> str:
        if whole.run.method != "model":
            return "skipped"  # there is no forecast of the champion for comparison
        if not await self._idle():
            return "late"
        try:
            inputs = await run_sync(_inputs, whole, model)
            frames = await self._worker.run(partial(_forecast, whole, model, inputs))
            await run_sync(self._unserved.put, whole.run.id, reference, frames)
        except Overloaded:
            return "late"
        except Exception as error:  # a failing shadow affects nothing else
            _logger.warning("shadow %s: %s", reference, error, exc_info=not isinstance(error, RaincellError))
            return "failed"
        return "made"


def _inputs(whole: WholeRun, model: RecurrentForecaster) -> Inputs:
    """The run's observed frames as the model reads them; raises IncompleteHistory if they need a stand-in."""
    stored = [whole.frames[minutes] for minutes in sorted(whole.run.observed_minutes)]
    inputs = collect_inputs(stored, model.input_length, model.name)
    if inputs.method != "model":
        raise IncompleteHistory(
            expected=f"{model.input_length} frames", got=str(len(inputs.frames)), remedy="it forecasts again with more"
        )
    return inputs


def _forecast(whole: WholeRun, model: RecurrentForecaster, inputs: Inputs) -> dict[int, StoredFrame]:
    longest = min(whole.run.lead_minutes[-1], model.card.longest_lead_minutes)
    steps = max(1, longest // whole.run.timestep_minutes)
    check_fit(model.card, inputs.frames, steps)
    forecast = model.forecast(inputs.frames, steps)
    return dict(zip(forecast.lead_minutes, encode(forecast), strict=True))


def _state(folder: Path) -> object:
    """A value that changes with a version's files."""
    try:
        return sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir())
    except OSError:
        return None
