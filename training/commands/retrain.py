"""python -m training retrain."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.commands.options import add_time, time_of

KEPT = 3
"""The exit status of a run that kept the champion; 0 is a promoted version or a challenger, 1 a run that failed."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    retrain = commands.add_parser(
        "retrain", help="train a challenger on an archive, and accept it only if it beats the champion"
    )
    retrain.add_argument("--archive", type=Path, required=True, help="as `prepare` and the service's feed fill it")
    retrain.add_argument("--repository", type=Path, required=True, help="of models, the champion among them")
    retrain.add_argument(
        "--config", metavar="FILE.toml", type=Path, help="docs/reference/configuration.md; else its defaults"
    )
    retrain.add_argument("--model", help="of the repository; its only one by default")
    retrain.add_argument(
        "--out", type=Path, help="folder of run folders, one for each run (default: REPOSITORY/MODEL/retraining)"
    )
    add_time(retrain)
    retrain.set_defaults(command=_retrain)


def _retrain(arguments: argparse.Namespace) -> int:
    from models.repository import chosen_model
    from training.retrain.config import load_retrain_config
    from training.retrain.retrain import RetrainJob, retrain
    from training.retrain.summary import summary

    config = load_retrain_config(arguments.config)
    name = chosen_model(arguments.repository, arguments.model)
    out = arguments.out or arguments.repository / name / "retraining"
    outcome = retrain(
        RetrainJob(arguments.archive, arguments.repository, name, out, config, lambda: time_of(arguments))
    )
    if outcome is None:  # a worker that only helped to train
        return 0
    print(summary(outcome))
    return KEPT if outcome.decision == "kept" else 0
