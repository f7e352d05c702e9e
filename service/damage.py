"""Invalid values from a store or a disk: they are dropped, counted and logged once."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Literal, get_args

Kind = Literal[
    "frame",
    "time",
    "series",
    "withdrawal",
    "mark",
    "run",
    "quarantine",
    "reference",
    "beside",
    "key",
    "ledger",
    "quota",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
_MOST_NAMES = 10_000
"""Logged values that are remembered; beyond this number all are forgotten, and may be logged again."""
_MOST_LOGGED = 100
"""The most logged values of a kind: a store full of garbage must not fill the log."""
_LONGEST = 200
_logger = logging.getLogger("raincell")


class Damage:
    """Notes dropped values: each is counted and logged the first time only.

    Parameters
    ----------
    on_drop : callable
        Called with the kind of each dropped value, e.g. to count it in a metric.
    """

    def __init__(self, on_drop: Callable[[Kind], object] = lambda _: None) -> None:
        self._on_drop = on_drop
        self._named: set[tuple[str, str]] = set()
        self._logged: Counter[Kind] = Counter()
        self._guard = threading.Lock()

    def drop(self, kind: Kind, name: object, why: str) -> None:
        """Note a value by the beginning of its name, and its fault."""
        named = kind, _short(name)
        with self._guard:
            if named in self._named:
                return
            if len(self._named) >= _MOST_NAMES:
                self._named.clear()
                self._logged.clear()
            self._named.add(named)
            self._logged[kind] += 1
            place = self._logged[kind]
        self._on_drop(kind)
        if place <= _MOST_LOGGED:
            more = "; more of the kind are only counted" if place == _MOST_LOGGED else ""
            _logger.error("a stored value does not fit and is left out: %s %s: %s%s", kind, named[1], _short(why), more)


def _short(name: object) -> str:
    """The name as one short line: names in a store may hold anything."""
    text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
    return text[:_LONGEST].encode("unicode_escape").decode()
