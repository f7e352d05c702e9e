"""python -m training check-reference."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    check = commands.add_parser("check-reference", help="forecast proof cases of the authors' code and compare")
    check.add_argument("cases", metavar="FILE.npz", type=Path, nargs="+")
    check.set_defaults(command=_check_reference)


def _check_reference(arguments: argparse.Namespace) -> int:
    """One line for each file; 1 if any is beyond the tolerance or cannot be read."""
    from training.authors.reference import TOLERANCE, check_reference

    failed = 0
    for path in arguments.cases:
        try:
            difference = check_reference(path)
        except (ValueError, OSError) as error:
            print(f"error: {path.name}: {error}", file=sys.stderr)
            failed += 1
            continue
        within = difference.largest <= TOLERANCE  # NaN is not
        failed += not within
        losses = "" if difference.decoupling is None else f", decoupling losses {difference.decoupling:.1e}"
        verdict = "ok" if within else f"FAILED, beyond {TOLERANCE:g}"
        print(f"{path.name}: {difference.model}, largest difference {difference.outputs:.1e}{losses}: {verdict}")
    return int(failed > 0)
