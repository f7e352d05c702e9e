"""python -m training inspect."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    inspect = commands.add_parser("inspect", help="print the card of an .onnx file")
    inspect.add_argument("model", type=Path)
    inspect.set_defaults(command=_inspect)


def _inspect(arguments: argparse.Namespace) -> None:
    from models.onnx_forecaster import read_card_of

    print(read_card_of(arguments.model).model_dump_json(indent=2))
