"""The parts of verification, and the alerts on them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from radar.ledger.ledger import model_reference
from radar.sequence import iso
from service.forecasting.catalogue import Catalogue
from service.history.codec import SeriesKey
from service.verification import drift, input_watch
from service.verification.input_watch import InputWatch
from service.verification.schema import AlertAnswer
from service.verification.scorer import Scorer
from service.verification.shadows import Shadows
from service.verification.totals import LedgerTotals
from service.verification.verifier import Verifier

_logger = logging.getLogger("raincell")
_UNITS = {"wet_fraction": "", "maximum": " mm/h", "missing_fraction": "", "gap_minutes": " minutes"}


@dataclass(frozen=True)
class Verification:
    """The parts of verification.

    Parameters
    ----------
    catalogue : Catalogue
        Its default model is the served one.
    ledger, scorer, watch, shadows, verifier
        The totals of the ledger, the scorer that adds to it, the watch on arriving frames, the shadow models, and the
        thread that does the work.
    limits : drift.DriftLimits
    """

    catalogue: Catalogue
    ledger: LedgerTotals
    scorer: Scorer
    watch: InputWatch
    shadows: Shadows
    verifier: Verifier
    limits: drift.DriftLimits

    @property
    def served(self) -> str:
        """The reference of the served model."""
        card = self.catalogue.default_card
        return model_reference(card.name, card.version)

    @property
    def degraded(self) -> str | None:
        """Why scores may be missing now."""
        return self.verifier.degraded or (None if self.ledger.complete else "the ledger is still being read")

    def alerts(self, series: SeriesKey) -> list[AlertAnswer]:
        """All watched quantities of a product and grid; empty while the ledger is still being read."""
        if not self.ledger.complete:
            return []
        judged = drift.judge(self.ledger.hours(series), self.served, self.limits)
        return [
            _drift(series, self.served, judged, self.limits),
            *(_input(series, found) for found in self.watch.judge(series)),
        ]

    def active_alerts(self) -> list[AlertAnswer]:
        """The active alerts of all series."""
        known = sorted({*self.ledger.series(), *self.watch.series()})
        return [alert for series in known for alert in self.alerts(series) if alert.active]


class Announcer:
    """Logs every alert when it begins and when it ends."""

    def __init__(self) -> None:
        self._active: dict[tuple[str, str, str], str] = {}

    def announce(self, alerts: Sequence[AlertAnswer]) -> None:
        """Log the differences from the previous active alerts."""
        active: dict[tuple[str, str, str], str] = {
            (alert.name, alert.product, alert.grid): f"{alert.value}; {alert.detail}" for alert in alerts
        }
        for key in sorted(active.keys() - self._active.keys()):
            _logger.warning("alert %s of %s on %s: %s", *key, active[key])
        for key in sorted(self._active.keys() - active.keys()):
            _logger.info("alert %s of %s on %s is over", *key)
        self._active = active


def _drift(series: SeriesKey, model: str, found: drift.Drift, limits: drift.DriftLimits) -> AlertAnswer:
    lead = limits.lead_minutes if found.lead_minutes is None else found.lead_minutes
    what = f"skill of {model} against persistence in CSI at {drift.THRESHOLD:g} mm/h, {lead} minutes ahead"
    return AlertAnswer(
        name="drift",
        product=series.product,
        grid=series.grid,
        active=found.drifting,
        value=found.skill,
        low=limits.skill,
        high=None,
        since=iso(found.since) if found.since else None,
        detail=f"{what}: below {limits.skill:g} for {limits.hours} hours is an alert",
    )


def _input(series: SeriesKey, found: input_watch.Judgement) -> AlertAnswer:
    usual = "being learnt" if found.low is None else f"{found.low:.3g} to {found.high:.3g}{_UNITS[found.quantity]}"
    return AlertAnswer(
        name=found.quantity,
        product=series.product,
        grid=series.grid,
        active=found.unusual,
        value=found.value,
        low=found.low,
        high=found.high,
        since=None,
        detail=f"{found.quantity.replace('_', ' ')} of the newest frames; usual: {usual}",
    )
