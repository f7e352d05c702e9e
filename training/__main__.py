"""python -m training COMMAND; the commands are in training/commands."""

from __future__ import annotations

import argparse
import sys

from radar.errors import RaincellError
from radar.system.cpus import limit_libraries
from radar.system.signals import run_command
from training.commands import (
    authors,
    evaluate,
    export,
    fit,
    guard,
    hindcast,
    inspect,
    list_versions,
    prepare,
    profile,
    promote,
    retrain,
    schedule,
)

_COMMANDS = (
    *(fit, evaluate, export, inspect, list_versions, promote, retrain, guard, schedule),
    *(authors, prepare, hindcast, profile),
)


def main() -> int:
    """Run one command; returns its exit status, 0 by default, and 1 with one line on stderr after an error."""
    arguments = _parser().parse_args()
    try:
        return arguments.command(arguments) or 0
    except (RaincellError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        wanted = f"error: expected the training extra, got no {error.name}; pip install -e '.[cpu,training]'"
        print(wanted, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train, evaluate and export models.")
    commands = parser.add_subparsers(required=True)
    for command in _COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    limit_libraries()
    sys.exit(run_command(main))
