"""Parsers of options' numbers; argparse shows their errors beside the option's name."""

from __future__ import annotations

import argparse
import math
from datetime import UTC, datetime

_LARGEST = 10_000_000
"""Larger counts in an option (iterations, minutes, pixels) are typing errors."""
_LARGEST_SEED = 2**63 - 1


def count(text: str) -> int:
    """A whole number of 1 or more."""
    return _whole(text, 1, _LARGEST)


def count_or_0(text: str) -> int:
    """A whole number of 0 or more."""
    return _whole(text, 0, _LARGEST)


def seed(text: str) -> int:
    """A whole number of 0 or more, of up to 63 bits."""
    return _whole(text, 0, _LARGEST_SEED)


def from_0(text: str) -> float:
    """A number of 0 or more."""
    return _number(text, "of 0 or more", lowest=0.0)


def above_0(text: str) -> float:
    """A number above 0."""
    number = _number(text, "above 0", lowest=0.0)
    if not number:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text[:40]!r}; correct it")
    return number


def numbers(text: str) -> tuple[float, ...]:
    """Numbers above 0, separated by commas."""
    try:
        return tuple(above_0(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        wanted = f"expected numbers above 0, separated by commas, got {text[:80]!r}; write them as 0.1,1,5"
        raise argparse.ArgumentTypeError(wanted) from None


def _whole(text: str, lowest: int, largest: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = lowest - 1
    if not lowest <= number <= largest:
        bound = f"{lowest} or more" if number < lowest else f"{largest} or less"
        raise argparse.ArgumentTypeError(f"expected a whole number of {bound}, got {text[:40]!r}; correct it")
    return number


def _number(text: str, wanted: str, lowest: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if number > _LARGEST:
        wanted = f"of {_LARGEST} or less"
    if not lowest <= number <= _LARGEST:  # nor NaN
        raise argparse.ArgumentTypeError(f"expected a number {wanted}, got {text[:40]!r}; correct it")
    return number


def add_pool(command: argparse.ArgumentParser) -> None:
    """Describe --workers and --dask; `training.dask_pool.pool` takes them."""
    command.add_argument(
        "--workers", type=count_or_0, help="local processes; as many as usable cores by default, 0 for none"
    )
    command.add_argument("--dask", metavar="ADDRESS", help="a running Dask cluster, e.g. tcp://host:8786")


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
    """The time of --at, or now, UTC."""
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
