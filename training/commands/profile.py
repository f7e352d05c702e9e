"""python -m training profile."""

from __future__ import annotations

import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    profile = commands.add_parser("profile", help="what each model costs, plain beside multi-scale")
    profile.set_defaults(command=_profile)


def _profile(arguments: argparse.Namespace) -> None:
    raise NotImplementedError
