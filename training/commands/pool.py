"""Where a command's work is done: options that several commands share."""

from __future__ import annotations

import argparse

from training.commands.numbers import count_or_0


def add_pool(command: argparse.ArgumentParser) -> None:
    """Describe --workers and --dask; `training.dask_pool.pool` takes them."""
    command.add_argument(
        "--workers", type=count_or_0, help="local processes; as many as usable cores by default, 0 for none"
    )
    command.add_argument("--dask", metavar="ADDRESS", help="a running Dask cluster, e.g. tcp://host:8786")
