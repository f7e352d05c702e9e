"""python -m training fit."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    fit = commands.add_parser("fit", help="train a model by a configuration")
    fit.add_argument("config", type=Path)
    fit.add_argument("--data", type=Path, required=True, help="folder of the events named in the configuration")
    fit.add_argument("--out", type=Path, required=True, help="a new folder for this run")
    fit.add_argument("--iterations", type=int, help="instead of the configuration's")
    fit.add_argument("--seed", type=int, help="instead of the configuration's")
    fit.add_argument("--start", metavar="FILE.pt", type=Path, help="a checkpoint whose weights to begin from")
    fit.add_argument("--resume", action="store_true", help="go on with the run in --out")
    fit.set_defaults(command=_fit)


def _fit(arguments: argparse.Namespace) -> None:
    from training.checkpoint import load_checkpoint
    from training.config import load_config
    from training.fit import fit

    config = load_config(arguments.config, iterations=arguments.iterations, seed=arguments.seed)
    start = load_checkpoint(arguments.start)[0] if arguments.start else None
    print(f"wrote {fit(config, arguments.data, arguments.out, resume=arguments.resume, start=start)}")
