"""python -m training prepare."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands.options import add_pool

if TYPE_CHECKING:
    from training.prepare.prepare import Summary

_BAD_FILES, _NOTHING_KEPT = 3, 4
"""The exit statuses of a run with bad files, and of one after which the archive is empty."""
_NAMED = 20


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    prepare = commands.add_parser(
        "prepare", help="turn years of radar files into the archive, and resume where it stopped"
    )
    prepare.add_argument("sources", metavar="SOURCE", type=Path, nargs="+", help="radar files, and folders of them")
    prepare.add_argument("--out", metavar="ARCHIVE", type=Path, required=True, help="folder of the archive")
    prepare.add_argument("--product", help="take this product only, e.g. RY")
    prepare.add_argument("--variable", metavar="NAME", help="the variable of rain, where NetCDF files have several")
    add_pool(prepare)
    prepare.set_defaults(command=_prepare)


def _prepare(arguments: argparse.Namespace) -> int:
    from training.dask_pool import pool
    from training.prepare.prepare import prepare

    sources, out = arguments.sources, arguments.out.absolute()
    with pool(arguments.dask, arguments.workers) as client:
        summary = prepare(sources, out, product=arguments.product, variable=arguments.variable, client=client)
    print(
        f"{summary.files} files read, {summary.done_before} done before; {summary.frames} frames archived, "
        f"{summary.forecasts} forecasts left out; {len(summary.bad)} bad files"
    )
    for what, count in sorted(summary.found.items()):
        print(f"{count:>9,}  {what}")
    for record in summary.bad[:_NAMED]:
        print(f"bad: {record.path}: {record.error}", file=sys.stderr)
    if len(summary.bad) > _NAMED:
        print(f"bad: {len(summary.bad) - _NAMED} more; see manifest.json in the archive", file=sys.stderr)
    if not summary.frames and not summary.kept_before:
        print(_nothing(summary, arguments), file=sys.stderr)
        return _NOTHING_KEPT
    return _BAD_FILES if summary.bad else 0


def _nothing(summary: Summary, arguments: argparse.Namespace) -> str:
    """An error: the frames that were expected, and those that were found instead."""
    wanted = f"observed frames of {arguments.product}" if arguments.product else "observed frames of rain"
    there = [f"{count} frames: {what}" for what, count in sorted(summary.found.items())]
    there += [f"{len(summary.bad)} files that are refused (above)"] * bool(summary.bad)
    sources = ", ".join(str(source) for source in arguments.sources)
    got = "; ".join(there) or ("no files" if not summary.files else f"{summary.files} files without a frame")
    return f"nothing was kept: expected {wanted} in {sources}, got {got}; correct the sources or --product"
