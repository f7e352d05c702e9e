"""python -m service run | ingest; what their options do not say is set by RAINCELL_* variables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from radar.errors import RaincellError

if TYPE_CHECKING:
    from service.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 1 if it could not start."""
    options = _parser().parse_args(arguments)
    names = ("host", "port", "redis_url", "archive")
    given = {name: value for name in names if (value := getattr(options, name, None)) is not None}

    from service.settings import Settings

    try:
        return _run(options, Settings(**given))
    except ValidationError as error:
        faults = "; ".join(f"RAINCELL_{fault['loc'][0]}".upper() + f": {fault['msg']}" for fault in error.errors())
        return _refuse(faults)
    except RaincellError as error:
        return _refuse(str(error))


def _run(options: argparse.Namespace, settings: Settings) -> int:
    if options.command == "run":
        from service.app import serve

        serve(settings)
        return 0
    from service.feed.command import Options, ingest

    names = ("source", "product", "once", "interval_seconds", "quarantine", "force")
    return ingest(settings, Options(**{name: getattr(options, name) for name in names}))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service", description="Rain nowcasts over HTTP.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve until stopped")
    run.add_argument("--host", help="where to listen (RAINCELL_HOST, 127.0.0.1)")
    run.add_argument("--port", type=int, help="where to listen (RAINCELL_PORT, 8000)")
    _add_ingest(commands.add_parser("ingest", help="follow a folder or web directory of radar files"))
    return parser


def _add_ingest(ingest: argparse.ArgumentParser) -> None:
    ingest.add_argument("--source", required=True, help="a folder, or an http(s) address that lists files as DWD does")
    ingest.add_argument("--product", required=True, help="RV, RY or YW")
    ingest.add_argument("--archive", help="keep all frames there, too (RAINCELL_ARCHIVE)")
    ingest.add_argument("--redis-url", help="the history to fill (RAINCELL_REDIS_URL)")
    ingest.add_argument("--once", action="store_true", help="look once; the exit status is 3 if files were bad")
    ingest.add_argument(
        "--interval", dest="interval_seconds", type=_seconds, default=30.0, metavar="S", help="between two looks (30)"
    )
    ingest.add_argument("--quarantine", type=Path, metavar="DIR", help="keep files there that cannot be used")
    ingest.add_argument("--force", action="store_true", help="take frames that quality control does not believe")


def _seconds(text: str) -> float:
    """A time between a tenth of a second and a day."""
    seconds = float(text)
    if not 0.1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError("expected seconds from 0.1 to 86400")
    return seconds


def _refuse(why: str) -> int:
    print(f"raincell does not start: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
