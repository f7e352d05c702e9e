"""GET /metrics: counts and states for Prometheus."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from radar.errors import StoreUnavailable
from radar.scores.sums import LIVE
from service.context import Parts, Service
from service.history.codec import SeriesKey
from service.history.store import gaps
from service.http.problems import documented
from service.verification.drift import THRESHOLD, csi_skill, watched
from service.verification.totals import Total
from service.verification.verification import Verification

router = APIRouter(tags=["health"])

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "Prometheus's text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


@router.get("/metrics", response_class=Response, responses={**_TEXT, **documented(500)})
async def metrics(service: Parts) -> Response:
    """Counters since the start of this process, and the age of the newest frames."""
    text = await run_sync(generate_latest, service.metrics.registry)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


class StateCollector(Collector):
    """Reads the service's state when it is scraped; registered once with its metrics' registry."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> list[Metric]:
        """Nothing: registration must not query Redis."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The newest frame's age and the gaps of every series that the store, or memory, has."""
        service = self._service
        yield _gauge("places", "Forecasts that may be decoded, waiting or running at a time", service.worker.size)
        yield _gauge("places_taken", "Forecasts being decoded, waiting or running", service.worker.inside)
        yield _gauge("queue_depth", "Forecasts that wait for the owner thread", service.worker.waiting)
        yield InfoMetricFamily(
            "raincell_provider", "ONNX Runtime's execution provider", value={"provider": service.provider}
        )
        yield _gauge("history_store_up", "Whether the history store answers", int(service.history.answers()))
        yield from self._history()

    def _history(self) -> Iterator[Metric]:
        labels = ("product", "grid")
        ages = GaugeMetricFamily("raincell_newest_frame_age_seconds", "Since the newest frame's time", labels=labels)
        missing = GaugeMetricFamily("raincell_history_gaps", "Frames missing between others", labels=labels)
        for series, age, count in self._series():
            ages.add_metric(series, age)
            missing.add_metric(series, count)
        yield from (ages, missing)

    def _series(self) -> Iterator[tuple[SeriesKey, float, int]]:
        history, now = self._service.history, self._service.clock()
        try:
            for series in history.products().value:
                times = history.times(series).value
                step = history.timestep_minutes(series)
                if times and step:
                    yield series, (now - times[-1]).total_seconds(), len(gaps(times, step))
        except StoreUnavailable:
            return


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"raincell_{name}", text, value=value)


LEADS = (30, 60)
"""Lead times of the exported live scores: a few, since each is a time series for every model."""
_LABELS = ("product", "grid", "model", "lead_minutes")
_AT = {"frame": "", "threshold": f" at {THRESHOLD:g} mm/h", "neighbourhood": f" at {THRESHOLD:g} mm/h"}
"""The end of a gauge's help text, after the name of a score."""


class VerificationCollector(Collector):
    """The defined scores of the past 24 hours, and every alert as 0 or 1."""

    def __init__(self, verification: Verification) -> None:
        self._verification = verification

    def describe(self) -> list[Metric]:
        """Nothing: registration must not compute sums."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Gauges by product, grid, model and lead time."""
        texts = {score.name: score.gauge + _AT[score.axis] for score in LIVE.scores if score.gauge}
        texts["skill"] = "Skill against persistence in CSI" + _AT["threshold"]
        gauges = {
            name: GaugeMetricFamily(f"raincell_live_{name}", f"{text} of the past 24 hours", labels=_LABELS)
            for name, text in texts.items()
        }
        for labels, total in self._totals():
            for name, value in _values(total).items():
                if math.isfinite(value):
                    gauges[name].add_metric(labels, value)
        yield from gauges.values()
        yield self._alerts()
        up = int(self._verification.verifier.degraded is None)
        yield GaugeMetricFamily("raincell_verification_up", "Whether the ledger can be written and read", value=up)

    def _totals(self) -> Iterator[tuple[tuple[str, ...], Total]]:
        ledger = self._verification.ledger
        for series in ledger.series():
            for row, total in sorted(ledger.totals(series, "24h").items(), key=lambda pair: pair[0]):
                if row.lead_minutes in LEADS:
                    yield (*series, row.model, str(row.lead_minutes)), total

    def _alerts(self) -> Metric:
        found = self._verification
        alerts = GaugeMetricFamily("raincell_alert", "1 while something needs a look", labels=("alert", *_LABELS[:2]))
        for series in sorted({*found.ledger.series(), *found.watch.series()}):
            for alert in found.alerts(series):
                alerts.add_metric((alert.name, alert.product, alert.grid), int(alert.active))
        return alerts


def _values(total: Total) -> dict[str, float]:
    scores = {score.name: value for score, value in watched(total.sums).items()}
    return {**scores, "skill": csi_skill(total, THRESHOLD)}
