"""Where a command's work is done: options that several commands share."""

from __future__ import annotations

import argparse


def add_pool(command: argparse.ArgumentParser) -> None:
    """Describe --workers and --dask; `training.dask_pool.pool` takes them."""
    command.add_argument("--workers", type=int, help="local processes; as many as usable cores by default, 0 for none")
    command.add_argument("--dask", metavar="ADDRESS", help="a running Dask cluster, e.g. tcp://host:8786")
