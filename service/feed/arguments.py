"""The command line of `python -m service ingest`; it imports nothing of the program, so that --help is quick."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(ingest: argparse.ArgumentParser) -> None:
    """Add all options; those that are also settings, RAINCELL_*, default to None."""
    ingest.add_argument("--source", required=True, help="a folder, or an http(s) address that lists files as DWD does")
    ingest.add_argument("--product", required=True, help="RV, RY or YW")
    ingest.add_argument("--archive", help="also keep all frames there (RAINCELL_ARCHIVE)")
    ingest.add_argument(
        "--archive-days", type=int, metavar="N", help="days to keep in the archive (RAINCELL_ARCHIVE_DAYS; all)"
    )
    ingest.add_argument("--redis-url", help="the history to fill (RAINCELL_REDIS_URL)")
    ingest.add_argument("--service", help="a running service to send frames to, instead; its key is RAINCELL_FEED_KEY")
    ingest.add_argument(
        "--once", action="store_true", help="look once; exit status 3 if files were bad, 4 if there was none"
    )
    ingest.add_argument(
        "--interval", dest="interval_seconds", type=_seconds, default=30.0, metavar="S", help="between two looks (30)"
    )
    ingest.add_argument("--quarantine", type=Path, metavar="DIR", help="keep unusable files there")
    ingest.add_argument(
        "--heartbeat", type=Path, metavar="FILE", help="is touched after every look, for a health check"
    )
    ingest.add_argument(
        "--quiet-minutes",
        dest="feed_quiet_minutes",
        type=float,
        metavar="N",
        help="warn when nothing new has come for so long (RAINCELL_FEED_QUIET_MINUTES, 30)",
    )
    ingest.add_argument(
        "--metrics-port",
        dest="feed_metrics_port",
        type=int,
        metavar="PORT",
        help="answer GET /metrics there (RAINCELL_FEED_METRICS_PORT; off)",
    )
    ingest.add_argument(
        "--metrics-host",
        dest="feed_metrics_host",
        metavar="HOST",
        help="where to listen for that (RAINCELL_FEED_METRICS_HOST, 127.0.0.1)",
    )
    ingest.add_argument("--force", action="store_true", help="take frames that quality control would reject")


def _seconds(text: str) -> float:
    """A time between a tenth of a second and a day."""
    seconds = float(text)
    if not 0.1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError("expected seconds from 0.1 to 86400")
    return seconds
