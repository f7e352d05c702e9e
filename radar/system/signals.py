"""Ctrl-C and SIGTERM end a command with one line and the shell's status for them, not with a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

_SIGNALS = {signal.SIGINT: "interrupted (Ctrl-C)", signal.SIGTERM: "ended (SIGTERM)"}


class Stopped(KeyboardInterrupt):
    """Raised by a signal that ends the command; open resources are closed on the way out. `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run_command(command: Callable[[], int]) -> int:
    """The status of `command`, or 130 after SIGINT and 143 after SIGTERM, told in one line on stderr.

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
        sys.stderr.flush()
        return 128 + asked
