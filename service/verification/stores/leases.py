"""Leases of work: the replica that claims a piece first does it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

LEASE_SECONDS = 60.0
"""How long the lease of a dead replica blocks the others."""
DONE_SECONDS = 24 * 3600.0
"""How long finished work stays claimed; that it counts once does not depend on this."""


class Leases(Protocol):
    """Leases by name; a name starts with a run's id or a series' tag, and a dot or colon. Raises StoreUnavailable."""

    def claim(self, name: str, seconds: float = LEASE_SECONDS) -> bool:
        """Claim for some seconds; False if another holds the lease."""

    def keep(self, name: str, seconds: float = DONE_SECONDS) -> None:
        """Extend a claim after its work is done."""

    def release(self, name: str) -> None:
        """Give up a claim."""


class MemoryLeases:
    """Leases of one process; see Leases.

    Parameters
    ----------
    clock : callable
        Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._guard = threading.Lock()

    def claim(self, name: str, seconds: float = LEASE_SECONDS) -> bool:
        """See Leases."""
        now = self._clock()
        with self._guard:
            self._until = {known: until for known, until in self._until.items() if until > now}
            if name in self._until:
                return False
            self._until[name] = now + seconds
            return True

    def keep(self, name: str, seconds: float = DONE_SECONDS) -> None:
        """See Leases."""
        with self._guard:
            self._until[name] = self._clock() + seconds

    def release(self, name: str) -> None:
        """See Leases."""
        with self._guard:
            self._until.pop(name, None)
