"""python -m training guard."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands.options import above_0, add_time, from_0, time_of


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    guard = commands.add_parser(
        "guard", help="promote or drop the challenger, or roll the champion back, by live skill; look once and end"
    )
    guard.add_argument("--repository", type=Path, required=True)
    guard.add_argument("--verification", type=Path, required=True, help="the service's RAINCELL_VERIFICATION")
    guard.add_argument("--model", help="of the repository; its only one by default")
    guard.add_argument("--hours", type=from_0, default=48.0, help="a challenger's time in shadow (default %(default)s)")
    guard.add_argument("--margin", type=from_0, default=0.0, help="in CSI, beyond the interval (default %(default)s)")
    guard.add_argument("--threshold", type=above_0, default=1.0, help="mm/h (default %(default)s)")
    guard.add_argument("--probation-hours", type=from_0, default=48.0, help="after a promotion (default %(default)s)")
    guard.add_argument(
        "--fewest-blocks", type=from_0, default=5.0, help="independent blocks of runs (default %(default)s)"
    )
    add_time(guard)
    guard.set_defaults(command=_guard)


def _guard(arguments: argparse.Namespace) -> None:
    from models.repository import chosen_model
    from training.promote.guard import GuardConfig, guard

    name = chosen_model(arguments.repository, arguments.model)
    config = GuardConfig(
        hours=arguments.hours,
        margin=arguments.margin,
        threshold=arguments.threshold,
        probation_hours=arguments.probation_hours,
        fewest_blocks=arguments.fewest_blocks,
    )
    for decision in guard(arguments.repository, arguments.verification, name, config, time_of(arguments)):
        print(f"{name} {decision.version or ''}".rstrip() + f": {decision.act}: {decision.reason}")
