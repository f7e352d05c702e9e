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
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"expected a time with its zone, got {text}")
    return time.astimezone(UTC)
