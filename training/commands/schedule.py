"""python -m training schedule."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from training.commands.options import above_0


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    schedule = commands.add_parser("schedule", help="retrain at a time of the week and run the guard, until stopped")
    schedule.add_argument("--archive", type=Path, required=True)
    schedule.add_argument("--repository", type=Path, required=True)
    schedule.add_argument("--verification", type=Path, required=True, help="the service's RAINCELL_VERIFICATION")
    schedule.add_argument("--model", required=True, help="of the repository")
    schedule.add_argument("--config", type=Path, help="of `retrain`")
    schedule.add_argument("--retrain", default="Sun 03:00", metavar="'DAY HH:MM'", help="UTC; or 'daily HH:MM'")
    schedule.add_argument("--guard-minutes", type=above_0, default=10.0, help="between two looks of `guard` (10)")
    schedule.add_argument("--heartbeat", type=Path, help="a file that is touched at every look, for a health check")
    schedule.set_defaults(command=_schedule)


def _schedule(arguments: argparse.Namespace) -> int:
    from training.promote.schedule import Schedule, ScheduledJob, moment
    from training.retrain.config import load_retrain_config

    load_retrain_config(arguments.config)  # a wrong configuration is an error now, not on Sunday at 3
    every, offset = moment(arguments.retrain)
    jobs = (
        ScheduledJob("retrain", _retrain_command(arguments), every, offset),
        ScheduledJob("guard", _guard_command(arguments), timedelta(minutes=arguments.guard_minutes)),
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    schedule = Schedule(jobs, lambda: datetime.now(UTC), _say, at_once=_cut_off(arguments))
    while True:
        schedule.look()
        if arguments.heartbeat:
            arguments.heartbeat.touch()
        if stop.wait(10):
            schedule.stop()
            return 0


def _cut_off(arguments: argparse.Namespace) -> frozenset[str]:
    """Names of jobs to start at once: a retraining that was killed, e.g. with its container."""
    from training.retrain.run_folder import runs_of

    runs = runs_of(arguments.repository / arguments.model / "retraining")
    return frozenset({"retrain"} if any(run.decision is None for run in runs) else ())


def _retrain_command(arguments: argparse.Namespace) -> tuple[str, ...]:
    config = ("--config", str(arguments.config)) if arguments.config else ()
    return (*_training("retrain", arguments), "--archive", str(arguments.archive), *config)


def _guard_command(arguments: argparse.Namespace) -> tuple[str, ...]:
    return (*_training("guard", arguments), "--verification", str(arguments.verification))


def _training(command: str, arguments: argparse.Namespace) -> tuple[str, ...]:
    options = ("--repository", str(arguments.repository), "--model", arguments.model)
    return (sys.executable, "-m", "training", command, *options)


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}", flush=True)
