"""python -m training import-checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    bring = commands.add_parser("import-checkpoint", help="bring weights trained with the authors' code")
    bring.add_argument("weights", metavar="FILE.pth", type=Path)
    bring.set_defaults(command=_import_checkpoint)


def _import_checkpoint(arguments: argparse.Namespace) -> None:
    raise NotImplementedError
