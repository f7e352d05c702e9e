"""python -m training fit."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.options import count, seed

if TYPE_CHECKING:
    from training.config.config import FitConfig


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    fit = commands.add_parser("fit", help="train a model by a configuration")
    fit.add_argument("config", type=Path, help="a .toml file, or the config.json of a run")
    fit.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder of the events, the data set or the archive in the configuration",
    )
    fit.add_argument("--out", type=Path, required=True, help="a new folder for this run")
    fit.add_argument("--iterations", type=count, help="instead of the configuration's")
    fit.add_argument("--seed", type=seed, help="instead of the configuration's")
    fit.add_argument("--start", metavar="FILE.pt", type=Path, help="a checkpoint whose weights to begin from")
    fit.add_argument(
        "--resume", action="store_true", help="continue the run in --out, also with more iterations than before"
    )
    fit.set_defaults(command=_fit)


def _fit(arguments: argparse.Namespace) -> None:
    from training.config.config import load_config

    config = load_config(arguments.config, iterations=arguments.iterations, seed=arguments.seed)
    _check_before_torch(config, arguments)

    from training.evaluate.learnt import learnt_by
    from training.fit.checkpoint import load_checkpoint
    from training.fit.loop import fit

    start = load_checkpoint(arguments.start)[0] if arguments.start else None
    learnt = (learnt_by(arguments.start) if arguments.start else None) or ()
    made = fit(config, arguments.data, arguments.out, resume=arguments.resume, start=start, learnt=learnt)
    print(f"wrote {made}")


def _check_before_torch(config: FitConfig, arguments: argparse.Namespace) -> None:
    """Report missing files at once, not after torch and every event were loaded."""
    from training.config.resume import check_run_folder
    from training.fit.events import check_event_files

    if arguments.start and not arguments.start.is_file():
        raise FileNotFoundError(f"expected a checkpoint for --start, got no file {arguments.start}; check the name")
    check_event_files(config, arguments.data)
    if "TORCHELASTIC_RESTART_COUNT" not in os.environ:  # torchrun's workers continue by themselves after a death
        check_run_folder(config, arguments.out, resume=arguments.resume)
