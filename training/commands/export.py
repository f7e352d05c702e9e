"""python -m training export."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands.options import count


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    export = commands.add_parser("export", help="write a checkpoint as ONNX into a model repository")
    export.add_argument("checkpoint", type=Path)
    export.add_argument("--repository", type=Path, required=True)
    export.add_argument("--version", required=True)
    export.add_argument("--description", default="", help="instead of the configuration's")
    export.add_argument(
        "--longest-lead-minutes",
        type=count,
        metavar="MINUTES",
        help="the longest lead time of requests; by default that of the training",
    )
    # Scripts of earlier versions pass --no-float16; the unused model.fp16.onnx is no longer written.
    export.add_argument("--no-float16", action="store_true", help=argparse.SUPPRESS)
    export.add_argument(
        "--alias",
        choices=("champion", "challenger", "none"),
        help="the version's role; by default the first version of a model is champion, and others have none",
    )
    export.set_defaults(command=_export)


def _export(arguments: argparse.Namespace) -> None:
    from training.export.export import export

    written = export(
        arguments.checkpoint,
        arguments.repository,
        arguments.version,
        description=arguments.description,
        alias=arguments.alias,
        longest_lead_minutes=arguments.longest_lead_minutes,
    )
    print(f"wrote {written}")
