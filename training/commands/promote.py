"""python -m training promote and rollback."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands.options import add_time, from_0, time_of


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe both commands."""
    promote = commands.add_parser("promote", help="make the challenger, or a named version, champion")
    rollback = commands.add_parser("rollback", help="make the previous champion champion again")
    for each in (promote, rollback):
        each.add_argument("--repository", type=Path, required=True)
        each.add_argument("--model", help="of the repository; its only one by default")
        add_time(each)
    promote.add_argument("--version", help="instead of the challenger")
    promote.add_argument(
        "--probation-hours", type=from_0, default=0.0, help="how long live skill may roll it back (default: not at all)"
    )
    promote.set_defaults(command=_promote)
    rollback.set_defaults(command=_rollback)


def _promote(arguments: argparse.Namespace) -> None:
    from datetime import timedelta

    from models.aliases import promote, read_aliases
    from models.repository import chosen_model
    from training.promote.proved import prove

    name = chosen_model(arguments.repository, arguments.model)
    version = arguments.version or read_aliases(arguments.repository, name).challenger
    if version is not None:  # without one, promote raises the error
        prove(arguments.repository, name, version)
    probation = timedelta(hours=arguments.probation_hours)
    after = promote(arguments.repository, name, version, now=time_of(arguments), probation=probation)
    print(f"{name}: {after.champion} is champion, {after.previous} the previous one")


def _rollback(arguments: argparse.Namespace) -> None:
    from models.aliases import read_aliases, rollback
    from models.repository import chosen_model
    from training.promote.proved import prove

    name = chosen_model(arguments.repository, arguments.model)
    previous = read_aliases(arguments.repository, name).previous
    if previous is not None:
        prove(arguments.repository, name, previous)
    after = rollback(arguments.repository, name, time_of(arguments))
    print(f"{name}: {after.champion} is champion again, {after.previous} the previous one")
