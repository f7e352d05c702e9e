"""python -m training list."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    listed = commands.add_parser("list", help="the versions of a repository: roles, scores, decisions and sizes")
    listed.add_argument("--repository", type=Path, required=True)
    listed.add_argument("--model", help="list only this model")
    listed.add_argument("--json", action="store_true", help="print the list as JSON")
    listed.set_defaults(command=_list)


def _list(arguments: argparse.Namespace) -> None:
    import json

    from models.repository import chosen_model, model_names
    from training.promote.versions import version_rows

    repository = arguments.repository
    names = [chosen_model(repository, arguments.model)] if arguments.model else model_names(repository)
    rows = [row for name in names for row in version_rows(repository, name)]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    if not rows:
        print("no models")
        return
    cells = [[_cell(value) for value in row.values()] for row in rows]
    table = [[key.replace("_", " ") for key in rows[0]], *cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    print("\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in table))


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "-" if value is None else str(value)
