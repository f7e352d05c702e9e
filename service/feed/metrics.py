"""The feed's metrics for Prometheus, and the watch for a source without new frames."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from radar.errors import InvalidRequest
from radar.sequence import iso
from service.feed.metrics_server import serve_metrics

if TYPE_CHECKING:
    from service.feed.follower import Look

_logger = logging.getLogger("raincell")


class FeedMetrics:
    """Counters and gauges in a registry of their own.

    Attributes
    ----------
    looks : Counter by outcome
        "taken", "nothing new", "nothing there", "failed".
    taken : Counter
        Files whose frame was taken.
    quarantined : Counter by reason
        Files and frames that were not taken.
    listed : Gauge
        Files of the product at the last look, one for each time.
    newest : Gauge
        Time of the newest frame taken, in seconds since 1970; 0 before the first.
    last_look : Gauge
        Time of the last look that did not fail.
    quiet : Gauge
        1 while the source has brought nothing new for too long.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.looks = Counter("raincell_feed_looks", "Looks at the source", ["outcome"], registry=self.registry)
        self.taken = Counter("raincell_feed_taken_files", "Files that were taken", registry=self.registry)
        self.quarantined = Counter(
            "raincell_feed_quarantined_files", "Files that were not taken", ["reason"], registry=self.registry
        )
        self.listed = self._gauge("listed_files", "Files of the product that the source lists")
        self.newest = self._gauge("newest_frame_timestamp_seconds", "Time of the newest frame that was taken")
        self.last_look = self._gauge("last_look_timestamp_seconds", "Time of the last look that did not fail")
        self.quiet = self._gauge("quiet", "1 while the source brings nothing new")
        self._newest = 0.0

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"raincell_feed_{name}", text, registry=self.registry)

    def note(self, look: Look, failed: bool, now: datetime) -> None:
        """Count one look."""
        outcome = "taken" if look.taken else "nothing there" if look.found_nothing else "nothing new"
        self.looks.labels("failed" if failed else outcome).inc()
        self.taken.inc(look.taken)
        if look.newest is not None:
            self._newest = max(look.newest.timestamp(), self._newest)
            self.newest.set(self._newest)
        if not failed:
            self.listed.set(look.listed)
            self.last_look.set(now.timestamp())

    def serve(self, host: str, port: int) -> int:
        """Serve GET and HEAD /metrics in a thread; returns the port, or raises InvalidRequest if it is in use."""
        try:
            return serve_metrics(self.registry, host, port)
        except OSError as error:
            raise InvalidRequest(
                expected=f"a free port {port} on {host} for the feed's metrics",
                got=(error.strerror or "an error").lower(),
                remedy="correct --metrics-port (RAINCELL_FEED_METRICS_PORT)",
            ) from None


class QuietWatch:
    """Watches for a source that has no new frames for too long; each change is logged once.

    Parameters
    ----------
    minutes : float
        Time without new frames after which the source is quiet.
    clock : callable
        Returns the current time, UTC.
    """

    def __init__(self, minutes: float, clock: Callable[[], datetime]) -> None:
        self._longest, self._clock = timedelta(minutes=minutes), clock
        self._since = clock()
        self.quiet = False

    def note(self, taken: bool) -> None:
        """Note a look, and whether it brought a frame."""
        now = self._clock()
        if taken:
            if self.quiet:
                _logger.warning("the source brings frames again, after %s", _text(now - self._since))
            self._since, self.quiet = now, False
        elif not self.quiet and now - self._since >= self._longest:
            self.quiet = True
            _logger.warning(
                "the source is quiet: expected a new frame within %s, got none since %s; see whether it goes on"
                " publishing, and under these names",
                _text(self._longest),
                iso(self._since),
            )


def _text(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.0f} minutes"
