"""The schedule of jobs by the clock: it keeps no state, and starts one process for each job."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MOMENT = re.compile(r"(daily|mon|tue|wed|thu|fri|sat|sun) ([01]\d|2[0-3]):([0-5]\d)", re.IGNORECASE)
_LAST_SECONDS = 20.0


@dataclass(frozen=True)
class ScheduledJob:
    """A command that is started at `offset` after Monday 00:00 UTC, and at every period before and after."""

    name: str
    command: tuple[str, ...]
    every: timedelta
    offset: timedelta = timedelta()

    def __post_init__(self) -> None:
        if self.every <= timedelta():
            raise ValueError(f"expected a time above 0 between two turns of {self.name}, got {self.every}; correct it")

    def turn(self, now: datetime) -> int:
        """The number of the last moment before `now`."""
        return (now - _MONDAY - self.offset) // self.every


def moment(text: str) -> tuple[timedelta, timedelta]:
    """Period and offset of "Sun 03:00" or "daily 03:00", UTC; raises ValueError for anything else."""
    found = _MOMENT.fullmatch(text.strip())
    if not found:
        raise ValueError(f"expected a time such as 'Sun 03:00' or 'daily 03:00', got {text[:40]!r}; correct it")
    day, hours, minutes = found[1].lower(), int(found[2]), int(found[3])
    offset = timedelta(hours=hours, minutes=minutes)
    if day == "daily":
        return timedelta(days=1), offset
    return timedelta(days=7), offset + timedelta(days=_DAYS.index(day))


class Process(Protocol):
    """The used part of `subprocess.Popen`."""

    def poll(self) -> int | None:
        """The exit status; None while it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends."""


def start_process(job: ScheduledJob) -> Process:
    """Start the job's command, which shares this process's output."""
    return subprocess.Popen(job.command)  # noqa: S603 - the operator's own command line


class Schedule:
    """Starts jobs at their moments; a job that still runs is not started twice.

    Parameters
    ----------
    jobs : sequence of ScheduledJob
    clock : callable
        Returns the time, UTC.
    log : callable
        Called at every start and end.
    start : callable
        Makes a job's process.
    at_once : set of str
        Names of jobs that are due at the first look, such as an interrupted one.
    """

    def __init__(
        self,
        jobs: Sequence[ScheduledJob],
        clock: Callable[[], datetime],
        log: Callable[[str], None],
        start: Callable[[ScheduledJob], Process] = start_process,
        at_once: frozenset[str] = frozenset(),
    ) -> None:
        self._jobs, self._clock, self._log, self._start = jobs, clock, log, start
        now = clock()
        self._turns = {job.name: job.turn(now) - (job.name in at_once) for job in jobs}
        self._running: dict[str, Process] = {}

    def look(self) -> None:
        """Note ended jobs, and start due ones."""
        now = self._clock()
        for job in self._jobs:
            self._note_end(job)
            turn, before = job.turn(now), self._turns[job.name]
            self._turns[job.name] = (
                turn  # possibly an earlier one, if the clock was set back: the job must not wait for years
            )
            if turn > before:
                self._begin(job)

    def stop(self) -> None:
        """Terminate running jobs, and wait for them; a retraining resumes at the next start."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait(timeout=_LAST_SECONDS)

    def _note_end(self, job: ScheduledJob) -> None:
        running = self._running.get(job.name)
        status = running.poll() if running else None
        if status is not None:
            del self._running[job.name]
            self._log(f"{job.name} ended with {status}")

    def _begin(self, job: ScheduledJob) -> None:
        if job.name in self._running:
            self._log(f"{job.name} still runs: not started again")
            return
        self._log(f"{job.name} starts")
        self._running[job.name] = self._start(job)
