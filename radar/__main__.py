"""The command line of the radar room: python -m radar."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from radar.errors import InvalidRequest, RaincellError
from radar.system.cpus import limit_libraries
from radar.system.signals import run_command
from radar.times import parse_time


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns 0 on success, 1 after an error, which is printed on stderr."""
    chosen = _parser().parse_args(arguments)
    try:
        _demo(chosen.folder, chosen.end or datetime.now(UTC), chosen.seed)
    except (RaincellError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m radar", description="Radar files.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="write an hour of synthetic radar files")
    demo.add_argument("folder", type=Path, metavar="DIR")
    demo.add_argument("--end", type=_time, help="time of the last frame, ISO 8601, UTC by default (default: now)")
    demo.add_argument("--seed", type=int, default=1, help="each number makes another storm (default: 1)")
    return parser


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except InvalidRequest as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _demo(folder: Path, end: datetime, seed: int) -> None:
    from radar.demo import write_demo

    radolan, odim = write_demo(folder, end=end, seed=seed)
    for files in (radolan, odim):
        print(f"{files[0].parent}: {len(files)} files, {files[0].name} to {files[-1].name}")
    print("\nWith a service running (make serve), ask for the next hour:\n")
    parts = ["curl", *(f"-F frames=@{path}" for path in radolan[-5:]), "-H 'Accept: application/netcdf'"]
    print(" \\\n  ".join([*parts, "-o forecast.nc", "http://127.0.0.1:8000/predict"]))


if __name__ == "__main__":
    limit_libraries()
    sys.exit(run_command(main))
