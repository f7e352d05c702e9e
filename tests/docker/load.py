"""Load on the proxy, while something is broken behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.docker.deployment import PLACE, status_of


class Load:
    """Callers that go on until told to stop: places and runs mostly, and forecasts that take a while."""

    PATHS = ((PLACE, "GET"), (PLACE, "GET"), ("/nowcast", "GET"), ("/readyz", "GET"))
    SLOW = (("/predict?product=DEMO&lead_minutes=5&encoding=none", "POST"),)

    def __init__(self) -> None:
        self.answered, self.slowest = 0, 0.0
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Six callers for as long as the block takes."""
        asked = [self.PATHS] * 5 + [self.SLOW]
        threads = [threading.Thread(target=self._call, args=(paths,)) for paths in asked]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def wait_for(self, answered: int) -> None:
        """Until so many were answered, or a minute and a half has passed."""
        deadline = time.monotonic() + 90
        while self.answered < answered and time.monotonic() < deadline:
            time.sleep(0.05)

    def _call(self, paths: tuple[tuple[str, str], ...]) -> None:
        while not self._stop.is_set():
            for path, method in paths:
                began = time.monotonic()
                status = status_of(path, method)
                if method == "POST" and status == 502:  # the proxy hands no POST on: callers repeat them
                    status = status_of(path, method)
                with self._lock:
                    self.answered += 1
                    self.slowest = max(self.slowest, time.monotonic() - began)
                    if status != 200:
                        self.failures.append(f"{method} {path}: {status}")
