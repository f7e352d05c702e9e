"""python -m service run | ingest | demo | first-start | key; other settings are RAINCELL_* variables."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from radar.errors import RaincellError
from radar.system.cpus import limit_libraries
from radar.system.signals import run_command
from service.feed.arguments import add_arguments

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from service.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status, which is 1 if the command could not start."""
    parser = argparse.ArgumentParser(prog="python -m service", description="Rain nowcasts over HTTP.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve until stopped")
    run.add_argument("--host", help="where to listen (RAINCELL_HOST, 127.0.0.1)")
    run.add_argument("--port", type=int, help="where to listen (RAINCELL_PORT, 8000)")
    run.set_defaults(do=_run)
    ingest = commands.add_parser("ingest", help="follow a folder or web directory of radar files")
    add_arguments(ingest)
    ingest.set_defaults(do=_ingest)
    demo = commands.add_parser("demo", help="feed synthetic storms, product DEMO, into Redis and the archive")
    demo.add_argument("--hours", type=_hours, default=1.0, help="how far before now they begin (1)")
    demo.add_argument("--heartbeat", type=Path, metavar="FILE", help="is touched in every turn, for a health check")
    demo.set_defaults(do=_demo)
    first = commands.add_parser("first-start", help="make secrets and a model repository where they are missing")
    first.add_argument("--secrets", type=Path, help="folder for the password of Redis and the file of API keys")
    first.add_argument("--password", type=Path, help="a file for another password")
    first.add_argument("--models", type=Path, help="model repository to which the bundled models are added")
    first.set_defaults(do=_first_start)
    key = commands.add_parser("key", help="make an API key: the key itself on stderr, its line for the file on stdout")
    key.add_argument("name", help="whose it is, for the log")
    key.add_argument("--scopes", default="read", help="of read, predict, ingest, with commas")
    key.add_argument("--per-minute", type=int, help="requests in a minute (any number)")
    key.set_defaults(do=_make_key)
    options = parser.parse_args(arguments)
    try:
        return int(options.do(options))
    except ValidationError as error:
        from service.unknown_settings import unknown_settings

        return _refuse("; ".join([*map(_described, error.errors()), *unknown_settings(os.environ)]))
    except RaincellError as error:
        return _refuse(str(error))


def _run(options: argparse.Namespace) -> int:
    from service.app import serve

    serve(_settings(options, "host", "port"))
    return 0


def _ingest(options: argparse.Namespace) -> int:
    from service.feed.command import Options, ingest

    names = ("source", "product", "once", "interval_seconds", "quarantine", "force", "service", "heartbeat")
    return ingest(
        _settings(options, "redis_url", "archive", "archive_days", *(f"feed_{name}" for name in _FEED)),
        Options(**{name: getattr(options, name) for name in names}),
    )


_FEED = ("quiet_minutes", "metrics_port", "metrics_host")


def _demo(options: argparse.Namespace) -> int:
    from service.context import now_utc
    from service.feed.demo_feed import feed_storms
    from service.feed.follow import Stop
    from service.monitoring import log
    from service.monitoring.heartbeat import beating
    from service.unknown_settings import warn_of_unknown_settings

    settings, stop = _settings(options), Stop()
    log.set_up(settings.log_format, sys.stderr)
    warn_of_unknown_settings(os.environ)
    stop.on_signals(settings.shutdown_seconds)
    feed_storms(settings, options.hours, now_utc, beating(stop.wait, options.heartbeat))
    stop.tell()
    return 0


def _first_start(options: argparse.Namespace) -> int:
    from service.first_start import add_models, make_password, make_secrets

    try:
        if options.secrets:
            make_secrets(options.secrets)
        if options.password:
            make_password(options.password)
        for added in add_models(options.models) if options.models else ():
            print(f"added {added}", file=sys.stderr)
    except OSError as error:
        return _refuse(f"expected folders to write to, got {error}; make them, or correct their permissions")
    return 0


def _hours(text: str) -> float:
    """Hours, up to a month."""
    hours = float(text)
    if not 0 <= hours <= 744:
        raise argparse.ArgumentTypeError("expected hours from 0 to 744")
    return hours


def _make_key(options: argparse.Namespace) -> int:
    from service.security.keys import make_key

    secret, key = make_key(options.name, options.scopes.split(","), options.per_minute)
    print(f"the key of {key.name}, shown this once: {secret}", file=sys.stderr)
    print(key.line)
    return 0


def _settings(options: argparse.Namespace, *names: str) -> Settings:
    """The settings; those of the command line take precedence over the environment."""
    from service.settings import read_settings

    return read_settings(**{name: value for name in names if (value := getattr(options, name)) is not None})


def _described(fault: ErrorDetails) -> str:
    """The description of a wrong setting, without its value, which may be a password."""
    return f"RAINCELL_{fault['loc'][0]}".upper() + f": {fault['msg'].removeprefix('Value error, ')}"


def _refuse(why: str) -> int:
    print(f"raincell does not start: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    limit_libraries()
    sys.exit(run_command(main))
