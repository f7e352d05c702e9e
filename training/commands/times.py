"""The time that a command decides at: now, or another for replays of old frames."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime


def add_time(parser: argparse.ArgumentParser) -> None:
    """Add --at."""
    parser.add_argument(
        "--at",
        metavar="TIME",
        type=_time,
        default=None,
        help="ISO 8601 with zone, instead of now: to replay old frames",
    )


def time_of(arguments: argparse.Namespace) -> datetime:
    """What --at says, or now, UTC."""
    at: datetime | None = arguments.at
    return at or datetime.now(UTC)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
        got = f"{text[:40]!r} without one"
    except (ValueError, OverflowError):
        got = repr(text[:40])
    raise argparse.ArgumentTypeError(f"expected a time with its zone, got {got}; write it as 2026-11-30T03:00Z")
