"""A watch on the observed frames, whose usual values are learnt from earlier frames.

For each quantity the usual range goes from the 1 % to the 99 % quantile of the past days, widened by a share of its
width and at least by `SLACK`. A quantity is unusual once it was outside that range in each of the newest `LASTING`
frames; a gap is unusual at once.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from radar.ledger.inputs import InputFollower, InputRecord, InputWriter, describe
from radar.sequence import iso
from service.damage import Damage
from service.history.codec import SeriesKey, decode_one
from service.history.history import History
from service.runs.run import series_tag
from service.verification.stores.leases import Leases

Quantity = Literal["wet_fraction", "maximum", "missing_fraction", "gap_minutes"]
SLACK: Mapping[Quantity, float] = {"wet_fraction": 0.02, "maximum": 10.0, "missing_fraction": 0.02, "gap_minutes": 1.0}
"""The watched quantities, and the least widening of their usual ranges; that of the maximum is in mm/h."""
LASTING = 3
LEAST_FRAMES = 144
"""The least frames for a usual range: half a day, in steps of 5 minutes."""
_REMEMBERED = timedelta(days=10)
"""How long the watch knows that a frame has its record: longer than any history keeps frames."""
_QUANTILES = (0.01, 0.99)


class InputLimits(NamedTuple):
    """The limits of usual input.

    Parameters
    ----------
    days : int
        Days of frames that the usual ranges are learnt from.
    margin : float
        The share of its width by which a usual range is widened on either side.
    """

    days: int = 7
    margin: float = 0.5


class Judgement(NamedTuple):
    """A quantity of the newest frame, and its usual range; the range is None while it is learnt."""

    quantity: Quantity
    value: float | None
    low: float | None
    high: float | None
    unusual: bool


class InputWatch:
    """Keeps records of the arriving frames, and compares the newest with the usual ranges.

    Parameters
    ----------
    history : History
    folder : Path
        Folder of the ledger.
    leases : Leases
    limits : InputLimits
    damage : Damage, optional
        Notes every invalid file of the ledger.
    """

    def __init__(
        self, history: History, folder: Path, leases: Leases, limits: InputLimits, damage: Damage | None = None
    ) -> None:
        self._damage = damage or Damage()
        self._history, self._leases, self._limits = history, leases, limits
        self._writer, self._follower = InputWriter(folder), InputFollower(folder)
        self._records: dict[SeriesKey, dict[datetime, InputRecord]] = {}
        self._guard = threading.Lock()

    def look(self) -> None:
        """Add records of new frames; raises StoreUnavailable or OSError."""
        self._refresh()
        known = self._history.products()
        for series in [] if known.degraded else known.value:
            self._look_at(series)

    def series(self) -> list[SeriesKey]:
        """Products and grids with records."""
        with self._guard:
            return sorted(self._records)

    def judge(self, series: SeriesKey) -> list[Judgement]:
        """All quantities of the newest frame; empty without a frame."""
        with self._guard:
            records = self._records.get(series, {})
            ordered = [records[time] for time in sorted(records)]
        return judge(ordered, self._limits) if ordered else []

    def _look_at(self, series: SeriesKey) -> None:
        times = self._history.times(series).value
        fresh = [place for place, time in enumerate(times) if not self._follower.knows(*series, time)]
        if not fresh:
            return
        stored = {frame.valid_time: frame for frame in self._history.newest(series, len(times) - fresh[0]).value}
        for place in fresh:
            time, before = times[place], times[place - 1] if place else None
            name = f"{series_tag(series)}.input.{iso(time)}"
            if time in stored and self._leases.claim(name):
                self._writer.append(describe(*series, time, decode_one(stored[time]), before))
                self._leases.keep(name)
        self._refresh()

    def _refresh(self) -> None:
        with self._guard:
            for record in self._follower.read():
                self._records.setdefault(SeriesKey(record.product, record.grid), {})[record.time] = record
            for series, records in self._records.items():
                newest = max(records)
                for time in [time for time in records if time < newest - timedelta(days=self._limits.days)]:
                    del records[time]
                self._follower.forget(*series, newest - _REMEMBERED)
        for name, why in self._follower.unreadable.items():
            self._damage.drop("ledger", name, why)
        if self._follower.damaged:
            self._damage.drop("ledger", "lines of inputs", "not records of this version")


def judge(records: Sequence[InputRecord], limits: InputLimits) -> list[Judgement]:
    """Compare the newest of these records, oldest first, with the others."""
    earlier, newest = records[:-LASTING], records[-LASTING:]
    return [_judged(quantity, earlier, newest, limits) for quantity in SLACK]


def _judged(
    quantity: Quantity, earlier: Sequence[InputRecord], newest: Sequence[InputRecord], limits: InputLimits
) -> Judgement:
    usual = [value for record in earlier if (value := getattr(record, quantity)) is not None]
    last = [getattr(record, quantity) for record in newest]
    if len(usual) < LEAST_FRAMES:
        return Judgement(quantity, last[-1], None, None, False)
    low, high = np.quantile(usual, _QUANTILES)
    widening = max(SLACK[quantity], limits.margin * (high - low))
    low, high = max(0.0, float(low - widening)), float(high + widening)
    judged = last[-1:] if quantity == "gap_minutes" else last
    outside = [value is not None and not low <= value <= high for value in judged]
    return Judgement(quantity, last[-1], low, high, all(outside))
