"""The callers that began the stored series: no caller may take all places for unknown products."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from radar.errors import InvalidRequest
from service.history.codec import SeriesKey
from service.history.frame_rules import MOST_SERIES, check_place, is_known

PENDING_SECONDS = 60.0
"""Seconds for which a series counts as begun before a frame of it is stored."""
KEY_PREFIX = "key:"
"""The beginning of the names of callers with a key, from `service.security.access.who_asks`."""


@dataclass(frozen=True)
class Beginning:
    """The caller that stored the first frames of a series, and the time in seconds since 1970 by the store's clock."""

    who: str
    at: float


class Beginnings(Protocol):
    """Records the caller that began each stored series, in the same place as the frames."""

    def begin(self, series: SeriesKey, who: str, stored: Collection[SeriesKey], most: int, now: float) -> None:
        """Note that a caller is about to store the first frames of a series; does nothing if it has frames.

        Raises
        ------
        InvalidRequest
            The caller began `most` series of unknown products already, or no place is left.
        """

    def forget(self, series: SeriesKey) -> None:
        """Forget a series whose frames were withdrawn."""

    def by(self) -> dict[SeriesKey, str]:
        """The caller that began each series, where known."""

    def agree(self) -> None:
        """Copy the store's records, or restore those that it has lost."""


class MemoryBeginnings:
    """The beginnings in this process's memory."""

    def __init__(self) -> None:
        self._known: dict[SeriesKey, Beginning] = {}
        self._lock = threading.Lock()

    def begin(self, series: SeriesKey, who: str, stored: Collection[SeriesKey], most: int, now: float) -> None:
        """See Beginnings."""
        with self._lock:
            self._known = begun(self._known, series, Beginning(who, now), stored, most)

    def forget(self, series: SeriesKey) -> None:
        """See Beginnings."""
        with self._lock:
            self._known = {one: each for one, each in self._known.items() if one != series}

    def by(self) -> dict[SeriesKey, str]:
        """See Beginnings."""
        return {series: beginning.who for series, beginning in self._known.items()}

    def agree(self) -> None:
        """See Beginnings: memory loses nothing."""


def begun(
    known: Mapping[SeriesKey, Beginning], series: SeriesKey, new: Beginning, stored: Collection[SeriesKey], most: int
) -> dict[SeriesKey, Beginning]:
    """The beginnings with a new one, and without those of removed series; raises as `Beginnings.begin`."""
    kept = {one: each for one, each in known.items() if one in stored or abs(new.at - each.at) <= PENDING_SECONDS}
    if series in kept or series in stored:
        return kept
    if not is_known(series.product):
        check_place(series, {*stored, *kept})
        _check_share([each.who for one, each in kept.items() if not is_known(one.product)], new.who, most)
    return {**kept, series: new}


def counts_as(who: str) -> str:
    """The caller for bounds: each key is one caller; all addresses without a key together are one caller."""
    return who if who.startswith(KEY_PREFIX) else "callers without a key"


def _check_share(begun_by: Collection[str], who: str, most: int) -> None:
    mine = sum(one == who for one in begun_by)
    together = sum(counts_as(one) == counts_as(who) for one in begun_by)
    if mine >= most or (together >= MOST_SERIES // 2 and not who.startswith(KEY_PREFIX)):
        whose = "of one caller" if mine >= most else "of all callers without a key"
        raise InvalidRequest(
            expected=f"at most {most if mine >= most else MOST_SERIES // 2} series {whose}, of products that the"
            " service does not know (product and grid)",
            got="one more",
            remedy="withdraw the frames of one that is not needed, or its operator raises RAINCELL_SERIES_PER_CALLER",
        )
