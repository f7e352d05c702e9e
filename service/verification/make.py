"""Verification assembled for `service.app`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from radar.ledger.days import settle
from radar.ledger.inputs import drop_old
from radar.ledger.ledger import LedgerWriter
from service.damage import Damage
from service.forecasting.catalogue import Catalogue, Load
from service.forecasting.worker import ForecastThread
from service.history.history import History
from service.history.reference_forecasts import ReferenceForecasts
from service.monitoring.metrics import Metrics
from service.runs.cache import Cache
from service.runs.reader import RunReader
from service.runs.runs import Runs
from service.verification import drift, input_watch
from service.verification.collect import ForecastSources
from service.verification.input_watch import InputWatch
from service.verification.scorer import Scorer
from service.verification.shadows import Shadows
from service.verification.stores.leases import Leases
from service.verification.stores.unserved_forecasts import UnservedForecasts
from service.verification.totals import LedgerTotals
from service.verification.verification import Announcer, Verification
from service.verification.verifier import Verifier

_CACHE_BYTES = 64 * 1024 * 1024
"""Bytes of decoded runs, apart from the cache of answers: scoring must not push those out."""


@dataclass(frozen=True)
class ServiceParts:
    """The parts of the service that verification needs.

    Parameters
    ----------
    repository, catalogue, load
        The models, and the function that loads one.
    history, runs, worker, metrics, clock
        The same parts as those of routes.
    unserved, leases, references
        See `service.stores.Stores`.
    days : int
        Days for which the ledger keeps single records.
    damage : Damage
        Notes every invalid value.
    """

    repository: Path
    catalogue: Catalogue
    load: Load
    history: History
    runs: Runs
    worker: ForecastThread
    metrics: Metrics
    clock: Callable[[], datetime]
    unserved: UnservedForecasts
    leases: Leases
    references: ReferenceForecasts | None
    days: int = 14
    damage: Damage = field(default_factory=Damage)


def make_verification(
    parts: ServiceParts, folder: Path, drift_limits: drift.DriftLimits, input_limits: input_watch.InputLimits
) -> Verification:
    """Verification with its ledger in `folder`."""
    ledger = LedgerTotals(folder, parts.damage)
    scorer = Scorer(
        parts.history,
        ForecastSources(parts.runs, RunReader(parts.runs, Cache(_CACHE_BYTES)), parts.unserved, parts.references),
        LedgerWriter(folder),
        ledger,
        parts.leases,
        busy=lambda: parts.worker.inside > 0 or parts.worker.waiting > 0,
        on_score=lambda how: parts.metrics.verified.labels(how).inc(),
    )
    watch = InputWatch(parts.history, folder, parts.leases, input_limits, parts.damage)
    shadows = Shadows(
        parts.repository,
        parts.catalogue,
        parts.load,
        parts.worker,
        parts.unserved,
        parts.clock,
        on_shadow=lambda how: parts.metrics.shadows.labels(how).inc(),
    )

    announcer = Announcer()

    def look(thorough: bool) -> None:
        watch.look()
        scorer.look(thorough)
        if thorough:
            settle(folder, parts.days, parts.clock())
            drop_old(folder, max(parts.days, input_limits.days), parts.clock())
            announcer.announce(made.active_alerts())

    made = Verification(parts.catalogue, ledger, scorer, watch, shadows, Verifier(look, scorer.stop), drift_limits)
    return made
