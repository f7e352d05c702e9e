"""Live scores and alerts for Prometheus, looked up when somebody asks for the metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from radar.scores.sums import read_csi, read_mae
from service.verification.drift import THRESHOLD, csi_skill
from service.verification.totals import Total
from service.verification.verification import Verification

LEADS = (30, 60)
"""Minutes ahead of which live scores are told: a few, since each is a time series for every model."""
_LABELS = ("product", "grid", "model", "lead_minutes")


class VerificationCollector(Collector):
    """The scores of the past 24 hours, those that are defined, and every alert as 0 or 1."""

    def __init__(self, verification: Verification) -> None:
        self._verification = verification

    def describe(self) -> list[Metric]:
        """Nothing: registering must not add anything up."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Gauges by product, grid, model and lead time."""
        scores = {
            "live_csi": "CSI at 1 mm/h of the past 24 hours",
            "live_mae": "Mean absolute error in mm/h of the past 24 hours",
            "live_skill": "Skill against persistence in CSI at 1 mm/h of the past 24 hours",
        }
        gauges = {name: GaugeMetricFamily(f"raincell_{name}", text, labels=_LABELS) for name, text in scores.items()}
        for labels, total in self._totals():
            for name, value in _values(total).items():
                if math.isfinite(value):
                    gauges[name].add_metric(labels, value)
        yield from gauges.values()
        yield self._alerts()
        up = int(self._verification.verifier.degraded is None)
        yield GaugeMetricFamily("raincell_verification_up", "Whether the ledger can be written and read", value=up)

    def _totals(self) -> Iterator[tuple[tuple[str, ...], Total]]:
        tally = self._verification.tally
        for series in tally.series():
            for row, total in sorted(tally.totals(series, "24h").items(), key=lambda pair: pair[0]):
                if row.lead_minutes in LEADS:
                    yield (*series, row.model, str(row.lead_minutes)), total

    def _alerts(self) -> Metric:
        found = self._verification
        alerts = GaugeMetricFamily("raincell_alert", "1 while something needs a look", labels=("alert", *_LABELS[:2]))
        for series in sorted({*found.tally.series(), *found.watch.series()}):
            for alert in found.alerts(series):
                alerts.add_metric((alert.name, alert.product, alert.grid), int(alert.active))
        return alerts


def _values(total: Total) -> dict[str, float]:
    return {
        "live_csi": float(read_csi(total.sums.values, THRESHOLD)),
        "live_mae": float(read_mae(total.sums.values)),
        "live_skill": csi_skill(total, THRESHOLD),
    }
