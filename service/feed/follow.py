"""Following a source until a stop is requested."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from types import FrameType

from radar.errors import RaincellError
from radar.system.signals import end_in_time
from service.feed.follower import Follower, Look
from service.feed.sources.backoff import BackOff
from service.feed.sources.source import SourceUnavailable

ALL_TAKEN, UNAVAILABLE, SOME_BAD, NOTHING_THERE = 0, 1, 3, 4
"""Exit statuses of one look; 3 and 4 as of `python -m training prepare`."""

_REACTION_SECONDS = 0.2
_SIGNALS = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C"}

_logger = logging.getLogger("raincell")


class Stop:
    """A request to end. Not a threading.Event: its lock could be held when a signal handler needs it."""

    def __init__(self) -> None:
        self.asked_at: float | None = None
        self.name = "no signal"
        self.interrupt: Callable[[], object] = lambda: None
        """Called when it is asked for, to end what is waited for. Must take no lock."""

    @property
    def asked(self) -> bool:
        """Whether to end."""
        return self.asked_at is not None

    def ask(self) -> None:
        """To end; may be called by a signal handler."""
        self.asked_at = time.monotonic()
        self.interrupt()

    def on_signals(self, seconds: float) -> None:
        """Take SIGTERM and SIGINT for a demand to end, within so many seconds; a second one ends at once.

        To be called by the main thread.
        """

        def ask(number: int, _: FrameType | None) -> None:
            for each, name in _SIGNALS.items():
                signal.signal(each, signal.SIG_DFL)
                if each == number:
                    self.name = name
            self.ask()

        for number in _SIGNALS:
            signal.signal(number, ask)
        end_in_time(lambda: self.asked_at, seconds)

    def tell(self) -> None:
        """One line in the log about the end."""
        _logger.info("ended as asked (%s)", self.name)

    def wait(self, seconds: float) -> bool:
        """Wait some seconds, or until the end is requested; returns whether it is requested."""
        last = time.monotonic() + seconds
        while not self.asked and (left := last - time.monotonic()) > 0:
            time.sleep(min(left, _REACTION_SECONDS))
        return self.asked


def look_once(follower: Follower) -> int:
    """Look once; returns the exit status."""
    look, error = _look(follower)
    if error is not None:
        return UNAVAILABLE
    if look.quarantined:
        return SOME_BAD
    if look.found_nothing:
        _logger.warning("nothing to take: %s", look.found_nothing)
        return NOTHING_THERE
    if not look.taken:
        _logger.info("nothing new: %d files listed, all of them known or too old to be kept", look.listed)
    return ALL_TAKEN


def follow(
    follower: Follower,
    back_off: BackOff,
    wait: Callable[[float], bool],
    note: Callable[[Look, bool], None] = lambda _look, _failed: None,
) -> None:
    """Look repeatedly.

    Parameters
    ----------
    follower : Follower
    back_off : BackOff
    wait : callable
        Waits some seconds, or until a stop is requested; returns whether it is requested.
    note : callable
        Called with every look, and whether it failed.
    """
    logged = ""
    while True:
        look, error = _look(follower)
        note(look, error is not None)
        if error is None and look.found_nothing != logged:  # logged once, not at every look
            logged = look.found_nothing
            _logger.warning("nothing to take: %s" if logged else "the source has files of the product now%s", logged)
        if error is None:
            seconds = back_off.succeeded()
        else:
            seconds = back_off.failed(error.retry_after_seconds if isinstance(error, SourceUnavailable) else None)
            if not follower.stopping():
                _logger.warning("asked again in %.0f seconds: %s", seconds, error)
        if wait(seconds):
            return


def _look(follower: Follower) -> tuple[Look, RaincellError | None]:
    """One look, and its failure; a bad file is not a failure."""
    try:
        look = follower.look()
    except RaincellError as error:
        if not follower.stopping():  # then it was interrupted
            _logger.warning("looked in vain: %s", error)
        return Look(), error
    if look.taken or look.quarantined:
        _logger.info("took %d of %d files, quarantined %d", look.taken, look.listed, look.quarantined)
    return look, look.failure
