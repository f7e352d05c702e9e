"""Verification in the background: a thread of low priority that looks for due scores at intervals."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from radar.errors import StoreUnavailable, UnreadableFile

POLL_SECONDS = 5.0
"""Seconds between two looks at the frames' times."""
CHECK_SECONDS = 30.0
"""Seconds between two thorough looks: another replica may have died at its work."""
_NICE = 5
_logger = logging.getLogger("raincell")


class Verifier:
    """Calls `look` until cancelled, in a thread of its own with low priority.

    Parameters
    ----------
    look : callable
        Called with whether to be thorough; raises StoreUnavailable or OSError if it has to be repeated.
    stop : callable
        Makes the current look end soon.
    poll_seconds : float
    """

    def __init__(
        self, look: Callable[[bool], object], stop: Callable[[], object], poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._look, self._stop = look, stop
        self._poll_seconds = poll_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="verification", initializer=_lower_priority)
        self._one_at_a_time = threading.Lock()
        self.degraded: str | None = None
        """Why scores may be missing now."""

    async def run(self) -> None:
        """Look until cancelled."""
        checked = float("-inf")
        try:
            while True:
                thorough = time.monotonic() >= checked + CHECK_SECONDS
                checked = time.monotonic() if thorough else checked
                await asyncio.get_running_loop().run_in_executor(self._thread, self.look, thorough)
                await asyncio.sleep(self._poll_seconds)
        finally:
            self._stop()
            self._thread.shutdown(wait=False, cancel_futures=True)

    def look(self, thorough: bool = True) -> None:
        """Look once, one caller at a time; a failure is reported in `degraded`, and the next look tries again."""
        with self._one_at_a_time:
            self._try(thorough)

    def _try(self, thorough: bool) -> None:
        try:
            self._look(thorough)
            self.degraded = None
        except UnreadableFile as error:
            self._note(f"a file of the ledger is damaged: {error}")
        except StoreUnavailable:
            self.degraded = "store unavailable: nothing is scored meanwhile"
        except OSError as error:
            self._note(f"the ledger cannot be written or read ({error.strerror or type(error).__name__})")
        except Exception:
            _logger.exception("verification failed")
            self.degraded = "verification failed: see the service's log"

    def _note(self, reason: str) -> None:
        if reason != self.degraded:
            _logger.error("verification: %s", reason)
        self.degraded = reason


def _lower_priority() -> None:
    with contextlib.suppress(AttributeError, OSError):  # only Linux gives threads priorities of their own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
