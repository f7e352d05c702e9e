"""Following a source until told to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from radar.errors import RaincellError
from service.feed.backoff import BackOff
from service.feed.follower import Follower, Look
from service.feed.source import SourceUnavailable

ALL_TAKEN, UNAVAILABLE, SOME_BAD = 0, 1, 3
"""Exit statuses of one look; 3 as of `python -m training prepare`."""

_REACTION_SECONDS = 0.2

_logger = logging.getLogger("raincell")


class Stop:
    """Whether to end. No threading.Event: its lock could be held when a signal handler wants it."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self) -> None:
        """To end; may be called by a signal handler."""
        self.asked = True

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until asked to end; whether that was asked."""
        last = time.monotonic() + seconds
        while not self.asked and (left := last - time.monotonic()) > 0:
            time.sleep(min(left, _REACTION_SECONDS))
        return self.asked


def look_once(follower: Follower) -> int:
    """One look; its exit status."""
    look, error = _look(follower)
    if error is not None:
        return UNAVAILABLE
    return SOME_BAD if look.quarantined else ALL_TAKEN


def follow(follower: Follower, back_off: BackOff, wait: Callable[[float], bool]) -> None:
    """Look again and again.

    Parameters
    ----------
    follower : Follower
    back_off : BackOff
    wait : callable
        Waits for so many seconds, or until it is time to stop; whether it is.
    """
    while True:
        _, error = _look(follower)
        if error is None:
            seconds = back_off.succeeded()
        else:
            seconds = back_off.failed(error.retry_after_seconds if isinstance(error, SourceUnavailable) else None)
            _logger.warning("asked again in %.0f seconds: %s", seconds, error)
        if wait(seconds):
            return


def _look(follower: Follower) -> tuple[Look, RaincellError | None]:
    """One look, and what failed in it; a bad file is no failure."""
    try:
        look = follower.look()
    except RaincellError as error:
        _logger.warning("looked in vain: %s", error)
        return Look(), error
    if look.taken or look.quarantined:
        _logger.info("took %d of %d files, quarantined %d", look.taken, look.listed, look.quarantined)
    return look, look.failure
