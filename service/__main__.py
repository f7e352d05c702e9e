"""python -m service run | ingest | key; what their options do not say is set by RAINCELL_* variables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from radar.errors import RaincellError
from service.feed.arguments import add_arguments

if TYPE_CHECKING:
    from service.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 1 if it could not start."""
    parser = argparse.ArgumentParser(prog="python -m service", description="Rain nowcasts over HTTP.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve until stopped")
    run.add_argument("--host", help="where to listen (RAINCELL_HOST, 127.0.0.1)")
    run.add_argument("--port", type=int, help="where to listen (RAINCELL_PORT, 8000)")
    run.set_defaults(do=_run)
    ingest = commands.add_parser("ingest", help="follow a folder or web directory of radar files")
    add_arguments(ingest)
    ingest.set_defaults(do=_ingest)
    key = commands.add_parser("key", help="make an API key: the key itself on stderr, its line for the file on stdout")
    key.add_argument("name", help="whose it is, for the log")
    key.add_argument("--scopes", default="read", help="of read, predict, ingest, with commas")
    key.add_argument("--per-minute", type=int, help="requests in a minute (any number)")
    key.set_defaults(do=_make_key)
    options = parser.parse_args(arguments)
    try:
        return int(options.do(options))
    except ValidationError as error:
        faults = "; ".join(f"RAINCELL_{fault['loc'][0]}".upper() + f": {fault['msg']}" for fault in error.errors())
        return _refuse(faults)
    except RaincellError as error:
        return _refuse(str(error))


def _run(options: argparse.Namespace) -> int:
    from service.app import serve

    serve(_settings(options, "host", "port"))
    return 0


def _ingest(options: argparse.Namespace) -> int:
    from service.feed.command import Options, ingest

    names = ("source", "product", "once", "interval_seconds", "quarantine", "force", "service")
    return ingest(
        _settings(options, "redis_url", "archive"), Options(**{name: getattr(options, name) for name in names})
    )


def _make_key(options: argparse.Namespace) -> int:
    from service.keys import make_key

    secret, key = make_key(options.name, options.scopes.split(","), options.per_minute)
    print(f"the key of {key.name}, shown this once: {secret}", file=sys.stderr)
    print(key.line)
    return 0


def _settings(options: argparse.Namespace, *names: str) -> Settings:
    """The settings, those of the command line before those of the environment."""
    from service.settings import Settings

    return Settings(**{name: value for name in names if (value := getattr(options, name)) is not None})


def _refuse(why: str) -> int:
    print(f"raincell does not start: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
