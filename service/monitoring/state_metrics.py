"""What is looked up when somebody asks for the metrics: the worker, the models, and the history."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from radar.errors import StoreUnavailable
from service.context import Service
from service.history.codec import Series
from service.history.store import gaps


class StateCollector(Collector):
    """Reads the service's state when it is scraped; registered once with its metrics' registry."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask Redis."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The newest frame's age and the gaps of every series as far as the store, or memory, knows them."""
        service = self._service
        yield _gauge("places", "Forecasts that may be decoded, waiting or running at a time", service.worker.size)
        yield _gauge("places_taken", "Forecasts being decoded, waiting or running", service.worker.inside)
        yield _gauge("queue_depth", "Forecasts that wait for the owner thread", service.worker.waiting)
        yield InfoMetricFamily(
            "raincell_provider", "What ONNX Runtime computes with", value={"provider": service.provider}
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

    def _series(self) -> Iterator[tuple[Series, float, int]]:
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
