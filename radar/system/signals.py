"""Ctrl-C and SIGTERM end a command with one line and the shell's status for them, not with a traceback."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

_SIGNALS = {signal.SIGINT: "interrupted (Ctrl-C)", signal.SIGTERM: "ended (SIGTERM)"}

_LOOK_SECONDS = 0.1
_SHARE = 0.95
"""Of the seconds that a process may take: the rest is for its end itself."""


class Stopped(KeyboardInterrupt):
    """Raised by a signal that ends the command; open resources are closed on the way out. `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run_command(command: Callable[[], int]) -> int:
    """The status of `command`; after SIGINT the process ends with 130, after SIGTERM with 143, and one line on stderr.

    Call it in the main thread. A second signal ends the process at once. Commands with their own reaction to a signal,
    such as servers, replace these handlers.
    """
    own = os.getpid()

    def stop(number: int, _: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        if os.getpid() != own:  # a forked worker: its parent prints the line
            os.kill(os.getpid(), number)
            return
        raise Stopped(number)

    for number in _SIGNALS:
        signal.signal(number, stop)
    try:
        return command()
    except KeyboardInterrupt as error:
        asked = error.number if isinstance(error, Stopped) else signal.SIGINT
        sys.stderr.write(f"{_SIGNALS[signal.Signals(asked)]}; what was finished stays\n")
        _leave(128 + asked)


def _leave(status: int) -> NoReturn:
    """End at once: what libraries do at the end, or threads that they left, would fail and say so."""
    if "multiprocessing" in sys.modules:
        for child in sys.modules["multiprocessing"].active_children():
            child.terminate()
    sys.stdout.flush()
    sys.stderr.flush()
    logging.shutdown()
    os._exit(status)


def end_in_time(asked_at: Callable[[], float | None], seconds: float) -> None:
    """From now on, end this process with status 0 if it has not ended so long after it was asked to.

    For commands with an end of their own, whatever that waits for: a thread in C++ code, a caller, another server.

    Parameters
    ----------
    asked_at : callable
        When it was asked to end, by `time.monotonic`; None until then. A signal handler may note it: no lock is taken.
    seconds : float
    """

    def watch() -> None:
        while (asked := asked_at()) is None or time.monotonic() < asked + _SHARE * seconds:
            time.sleep(_LOOK_SECONDS)
        sys.stderr.write(f"ended after {seconds:g} seconds, with work that nobody waits for any more\n")
        sys.stderr.flush()
        logging.shutdown()
        os._exit(0)

    threading.Thread(target=watch, name="end in time", daemon=True).start()
