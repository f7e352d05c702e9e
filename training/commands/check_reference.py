"""python -m training check-reference."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    check = commands.add_parser("check-reference", help="forecast proof cases of the authors' code and compare")
    check.add_argument("cases", metavar="FILE.npz", type=Path, nargs="+")
    check.set_defaults(command=_check_reference)


def _check_reference(arguments: argparse.Namespace) -> None:
    raise NotImplementedError
