"""python -m training prepare."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

_BAD_FILES = 3
"""The exit status of a run that is complete but for bad files."""
_NAMED = 20


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    prepare = commands.add_parser(
        "prepare", help="turn years of radar files into the archive, and go on where it stopped"
    )
    prepare.add_argument("sources", metavar="SOURCE", type=Path, nargs="+", help="radar files, and folders of them")
    prepare.add_argument("--out", metavar="ARCHIVE", type=Path, required=True, help="folder of the archive")
    prepare.add_argument("--product", help="take this product only, e.g. RY")
    prepare.add_argument("--workers", type=int, help="local processes; as many as cores by default, 0 for none")
    prepare.add_argument("--dask", metavar="ADDRESS", help="a running Dask cluster, e.g. tcp://host:8786")
    prepare.set_defaults(command=_prepare)


def _prepare(arguments: argparse.Namespace) -> int:
    from training.prepare import prepare

    sources, out = arguments.sources, arguments.out.absolute()
    if arguments.workers is not None and arguments.workers < 0:
        raise ValueError(f"expected 0 workers or more, got {arguments.workers}; leave --workers out for all cores")
    with _client(arguments.dask, arguments.workers) as client:
        summary = prepare(sources, out, product=arguments.product, client=client)
    print(
        f"{summary.files} files read, {summary.done_before} done before; {summary.frames} frames archived, "
        f"{summary.forecasts} forecasts left out; {len(summary.bad)} bad files"
    )
    for record in summary.bad[:_NAMED]:
        print(f"bad: {record.path}: {record.error}", file=sys.stderr)
    if len(summary.bad) > _NAMED:
        print(f"bad: {len(summary.bad) - _NAMED} more; see manifest.json in the archive", file=sys.stderr)
    return _BAD_FILES if summary.bad else 0


@contextmanager
def _client(address: str | None, workers: int | None) -> Iterator[Client | None]:
    """Of the cluster that was named, of one of local processes, or None for this process alone."""
    if address is None and workers == 0:
        yield None
        return
    # Dask takes a second to import, and the other commands do without it.
    from distributed import Client, LocalCluster

    if address is not None:
        with Client(address) as client:
            yield client
        return
    local = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)
    with local, Client(local) as client:
        yield client
