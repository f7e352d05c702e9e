"""python -m training hindcast."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.options import add_pool, count, numbers

if TYPE_CHECKING:
    from training.hindcast.hindcast import Hindcast

_FAILED_STARTS = 3
"""The exit status of a run with failed starts."""
_NAMED = 20


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    hindcast = commands.add_parser(
        "hindcast", help="forecast and score every start of an archive in parallel, and resume where it stopped"
    )
    hindcast.add_argument(
        "model", metavar="MODEL", type=Path, help="an .onnx file, or a model's folder in a repository"
    )
    hindcast.add_argument("archive", metavar="ARCHIVE", type=Path, help="folder of the archive that `prepare` filled")
    hindcast.add_argument("--out", metavar="ZARR", type=Path, required=True, help="the store, new or of this hindcast")
    hindcast.add_argument("--product", help="of the archive; its only one by default")
    hindcast.add_argument("--grid", help="of the archive; its only one by default")
    hindcast.add_argument("--lead-minutes", type=count, default=60, help="the longest lead time (default %(default)s)")
    hindcast.add_argument("--stride", type=count, default=1, help="timesteps from one start to the next (default 1)")
    hindcast.add_argument(
        "--thresholds", type=numbers, default="0.1,1,5,10", help="mm/h, separated by commas (default %(default)s)"
    )
    add_pool(hindcast)
    hindcast.set_defaults(command=_hindcast)


def _hindcast(arguments: argparse.Namespace) -> int:
    from training.dask_pool import pool
    from training.hindcast.hindcast import hindcast
    from training.hindcast.plan import HindcastQuestion

    question = HindcastQuestion(
        lead_minutes=arguments.lead_minutes,
        stride=arguments.stride,
        thresholds=arguments.thresholds,
        product=arguments.product,
        grid=arguments.grid,
    )
    with pool(arguments.dask, arguments.workers) as client:
        done = hindcast(arguments.model, arguments.archive, arguments.out.absolute(), question, client=client)
    _tell(done, arguments.out)
    return _FAILED_STARTS if done.failed else 0


def _tell(done: Hindcast, out: Path) -> None:
    from radar.sequence import iso
    from training.hindcast.hindcast import scores_file
    from training.hindcast.scores import score_tables

    print(score_tables(done.rows))
    gaps = done.plan.left_out
    print(
        f"\n{done.made} starts forecast, {done.done_before} done before, {len(done.failed)} failed; "
        f"{sum(gap.starts for gap in gaps)} left out; scores in {scores_file(out).name}"
    )
    frames = done.plan.input_length
    lines = [
        f"left out: {iso(gap.first)} to {iso(gap.last)}, {gap.starts} starts without their {frames} frames"
        for gap in gaps
    ]
    lines += [f"failed: {iso(failure.start)}: {failure.error}" for failure in done.failed]
    more = [f"and {len(lines) - _NAMED} more; see {scores_file(out).name}"] if len(lines) > _NAMED else []
    print("\n".join([*lines[:_NAMED], *more]), file=sys.stderr)
