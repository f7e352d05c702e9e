"""The split of an archive's days into training, validation and test."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import get_args

from radar.errors import IncompleteHistory
from training.data.base import Part

Days = dict[Part, list[str]]
"""By part: days, e.g. "2024-06-01", and stretches from first to last, e.g. "2024-06-01/2024-06-30"."""

_STRETCH = re.compile(r"(\d{4}-\d{2}-\d{2})(?:/(\d{4}-\d{2}-\d{2}))?")


def split_days(
    days: Sequence[date], named: Mapping[Part, Sequence[str] | None], shares: Mapping[Part, float], what: str
) -> Days:
    """Every part as stretches of days without a day of another part in between.

    The days of a part are those named for it. Without named days, the newest of the others are for the test, those
    before them for the validation, and the rest for training.

    Parameters
    ----------
    days : sequence of date
        Days with frames, in order.
    named : mapping
        Named days by part; None if no days are named, an empty list for a part without days.
    shares : mapping
        Shares of all days for the parts "validation" and "test"; a share above 0 is at least one day.
    what : str
        The series, for errors.

    Raises
    ------
    ValueError
        A named text is not a day, or a day is in two parts.
    IncompleteHistory
        The named days have no frames, or there are too few days.
    """
    part_of: dict[date, Part] = {}
    for part in get_args(Part):
        for day in _named(days, named.get(part) or (), part, what):
            if part_of.setdefault(day, part) != part:
                raise ValueError(f"expected {day} in one part only, got it in {part_of[day]} and {part}; correct one")
    rest = [day for day in days if day not in part_of]
    by_share: tuple[Part, ...] = ("test", "validation")
    for part in by_share:
        count = max(1, round(shares[part] * len(days))) if shares[part] and named.get(part) is None else 0
        part_of |= dict.fromkeys(rest[len(rest) - count :] if count else [], part)
        rest = rest[: len(rest) - count] if count < len(rest) else []
    if named.get("train") is None:
        part_of |= dict.fromkeys(rest, "train")
    _check(days, part_of, what)
    return _stretches(part_of)


def _stretches(part_of: Mapping[date, Part]) -> Days:
    found: Days = {part: [] for part in get_args(Part)}
    for part, members in groupby(sorted(part_of), key=part_of.__getitem__):
        together = list(members)
        found[part].append(f"{together[0]}/{together[-1]}")
    return found


def _named(days: Sequence[date], named: Sequence[str], part: str, what: str) -> Iterator[date]:
    """The named days that have frames."""
    for text in named:
        first, last = _ends(text, part)
        found = [day for day in days if first <= day <= last]
        if not found:
            raise IncompleteHistory(
                expected=f"frames of {what} on {text}, as named in {part}_days",
                got=f"frames from {days[0]} to {days[-1]}, and none on that day",
                remedy="name other days, or prepare these",
            )
        yield from found


def _ends(text: object, part: str) -> tuple[date, date]:
    try:
        match = _STRETCH.fullmatch(text) if isinstance(text, str) else None
        if match is not None:
            first = date.fromisoformat(match[1])
            last = date.fromisoformat(match[2] or match[1])
            if first <= last:
                return first, last
    except ValueError:
        pass
    raise ValueError(
        f'expected days as "2024-06-01", or first and last as "2024-06-01/2024-06-30", in {part}_days, got {text!r}; '
        "correct it"
    )


def _check(days: Sequence[date], part_of: Mapping[date, Part], what: str) -> None:
    lacking = [part for part in ("train", "validation") if part not in part_of.values()]
    if lacking:
        raise IncompleteHistory(
            expected=f"days of {what} to train on, to validate on and to test on",
            got=f"none to {' and to '.join({'train': 'train on', 'validation': 'validate on'}[p] for p in lacking)} "
            f"among {len(days)} from {days[0]} to {days[-1]}",
            remedy="prepare more days, or name train_days, validation_days and test_days (which may be []) in "
            "[data.options]",
        )


def days_in(days: Iterable[date], stretches: Iterable[str]) -> set[date]:
    """The days within stretches."""
    ends = [_ends(text, "train") for text in stretches]
    return {day for day in days if any(first <= day <= last for first, last in ends)}


def apart(times: Iterable[datetime], others: set[date], hours: float) -> list[datetime]:
    """The times at a distance of at least `hours` (up to 24) from all of the other days."""
    margin = timedelta(hours=hours)
    return [time for time in times if not {(time - margin).date(), time.date(), (time + margin).date()} & others]
