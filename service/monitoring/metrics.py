"""The service's metrics for Prometheus: one object per process, whose counters other modules increment.

The number of label values is bounded: templates of routes, never paths; kinds of things, never input of callers.
"""

from __future__ import annotations

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from models.baselines import STAND_INS
from radar.quality import Reason
from service.damage import KINDS

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_BATCHES = (1, 2, 3, 4, 6, 8, 12, 16, 32)


class Metrics:
    """Counters, gauges and histograms, in a registry of their own.

    Attributes
    ----------
    requests : Counter by method, route, status
        HTTP requests; status 499 if the caller disconnected before the answer.
    request_seconds : Histogram by method, route
        Time until the last byte of the answer was sent.
    in_flight : Gauge
    work_seconds : Histogram by part
        decode, forecast (in the owner thread), encode.
    batch_size : Histogram
        Forecasts that were computed together.
    degraded : Counter by reason
        Forecasts that are less than they should be: "store", "filled", or the name of a stand-in.
    cache_hits, cache_misses : Counter by cache
    runs : Counter by method
        "model", or the name of a stand-in.
    quarantined_frames : Counter by reason
    dropped_work : Counter by reason
        E.g. "left", "deadline".
    decoder_ends : Counter by reason
        Child processes for HDF5 that died or were killed: "died", "time-out", or "worn" after many files.
    dropped_values : Counter by kind
        Invalid values from Redis or the ledger, each counted once: see `service.damage`.
    verified : Counter by outcome
        Lead times of runs: "scored", "expired", "failed".
    shadows : Counter by outcome
        Forecasts of shadow models: "made", "skipped", "late", "failed".
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._counter("http_requests", "HTTP requests", "method", "route", "status")
        self.request_seconds = self._seconds("http_request_seconds", "Duration of HTTP requests", "method", "route")
        self.in_flight = Gauge("raincell_http_in_flight", "HTTP requests being answered", registry=self.registry)
        self.work_seconds = self._seconds("work_seconds", "Duration of a part of the work on a forecast", "part")
        self.batch_size = Histogram(
            "raincell_batch_size", "Forecasts computed together", buckets=_BATCHES, registry=self.registry
        )
        self.degraded = self._counter("degraded_answers", "Answers that are less than they should be", "reason")
        _begin(self.degraded, "store", "filled", *STAND_INS)
        self.cache_hits = self._counter("cache_hits", "Answers from a cache", "cache")
        self.cache_misses = self._counter("cache_misses", "Answers that a cache did not have", "cache")
        self.runs = self._counter("runs", "Runs computed", "method")
        _begin(self.runs, "model", *STAND_INS)
        self.quarantined_frames = self._counter("quarantined_frames", "Frames that were not accepted", "reason")
        _begin(self.quarantined_frames, *get_args(Reason))
        self.dropped_work = self._counter("dropped_work", "Forecasts without a waiting caller", "reason")
        self.decoder_ends = self._counter("decoder_ends", "Child processes for HDF5 that ended", "reason")
        self.dropped_values = self._counter("dropped_values", "Invalid stored values that were left out", "kind")
        _begin(self.dropped_values, *KINDS)
        self.verified = self._counter("verified", "Lead times of runs whose observation arrived", "outcome")
        self.shadows = self._counter("shadow_forecasts", "Forecasts of shadow models", "outcome")

    def observe_work(self, part: str, seconds: float) -> None:
        """Note the duration of a part of the work on a forecast; see `service.monitoring.timing`."""
        self.work_seconds.labels(part).observe(seconds)

    def observe_cache(self, found: bool) -> None:
        """Note whether a run, or an answer made from one, was in this process's cache."""
        (self.cache_hits if found else self.cache_misses).labels("runs").inc()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"raincell_{name}", text, labels, registry=self.registry)

    def _seconds(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"raincell_{name}", text, labels, buckets=_SECONDS, registry=self.registry)


def _begin(counter: Counter, *values: str) -> None:
    """Begin at 0: for Prometheus a counter that first appears as 1 has not increased, and a missing one is not 0."""
    for value in values:
        counter.labels(value)
