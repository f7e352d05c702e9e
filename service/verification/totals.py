"""Totals of the ledger: by hour for the past week, and altogether."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from radar.errors import UnreadableFile
from radar.ledger.days import DayRow, read_day, rows_of, settled_days
from radar.ledger.ledger import LedgerFollower, ScoreRecord
from radar.scores.sums import ScoreSums
from service.damage import Damage
from service.history.codec import SeriesKey
from service.runs.run import series_tag

Period = Literal["24h", "7d", "all"]
HOURS: Mapping[str, int] = {"24h": 24, "7d": 7 * 24}
"""Hours of each period, counted back from the newest scored one."""
_HOUR = timedelta(hours=1)
_KEPT_HOURS = 8 * 24
_REMEMBERED = timedelta(days=10)
"""How long ids are kept: longer than any store keeps runs and frames."""


class Row(NamedTuple):
    """The key of a total: a model and a lead time."""

    model: str
    lead_minutes: int


class Total(NamedTuple):
    """The sums of a model's forecasts, and those of persistence in the same records."""

    sums: ScoreSums
    persistence: ScoreSums

    def plus(self, other: Total) -> Total:
        """Both together."""
        return Total(self.sums + other.sums, self.persistence + other.persistence)


Totals = dict[Row, Total]


@dataclass
class SeriesTotals:
    """The totals of one product and grid.

    Parameters
    ----------
    hours : dict of datetime to Totals
        Totals by the beginning of the hour in which the valid time's interval ends.
    total : Totals
    newest : datetime or None
        The newest valid time.
    """

    hours: dict[datetime, Totals] = field(default_factory=dict)
    total: Totals = field(default_factory=dict)
    newest: datetime | None = None
    oldest: datetime | None = None

    def add(self, record: ScoreRecord) -> None:
        """Add a record."""
        hour = self.hours.setdefault(hour_of(record.valid_time), {})
        for row in rows_of(record):
            self.settle(row)
            _add(hour, row)
        self._note(record.valid_time, record.valid_time)
        first = hour_of(self.newest or record.valid_time) - _KEPT_HOURS * _HOUR
        for old in [hour for hour in self.hours if hour < first]:
            del self.hours[old]

    def settle(self, row: DayRow) -> None:
        """Add a total of a settled day."""
        _add(self.total, row)
        self._note(row.first, row.last)

    def _note(self, first: datetime, last: datetime) -> None:
        self.oldest = min(self.oldest or first, first)
        self.newest = max(self.newest or last, last)


class LedgerTotals:
    """The totals of the ledger in a folder; any thread may use them.

    Parameters
    ----------
    folder : Path
    damage : Damage, optional
        Notes every invalid file of the ledger; all others count.
    """

    def __init__(self, folder: Path, damage: Damage | None = None) -> None:
        self._folder = folder
        self._damage = damage or Damage()
        self.complete = False
        """Whether everything that existed at the start has been read."""
        self._follower: LedgerFollower | None = None
        self._series: dict[SeriesKey, SeriesTotals] = {}
        self._guard = threading.Lock()

    @property
    def damaged(self) -> int:
        """The number of unreadable lines of the ledger."""
        return self._follower.damaged if self._follower else 0

    def refresh(self) -> None:
        """Read the additions of all replicas to the ledger; for use by one thread. Raises OSError.

        The first call takes long; until it ends the totals are incomplete, see `complete`.
        """
        if self._follower is None or not self.complete:
            self._begin()
        if self._follower:
            self._take(self._follower.read())
            self._note_damage(self._follower)
        self.complete = True

    def knows(self, run_id: str, lead_minutes: int) -> bool:
        """Whether a lead time was scored before the last `refresh`."""
        return self._follower is not None and self._follower.knows(run_id, lead_minutes)

    def forget(self, series: SeriesKey, newest: datetime) -> None:
        """Forget ids that are much older than any kept run of a series."""
        if self._follower:
            self._follower.forget(series_tag(series), newest - _REMEMBERED)

    def series(self) -> list[SeriesKey]:
        """Products and grids with scores."""
        with self._guard:
            return sorted(self._series)

    def bounds(self, series: SeriesKey, period: Period) -> tuple[datetime, datetime] | None:
        """The first and the last valid time of a period; None without any score."""
        with self._guard:
            kept = self._series.get(series)
            return _bounds(kept, period) if kept else None

    def totals(self, series: SeriesKey, period: Period) -> Totals:
        """The totals of a period."""
        with self._guard:
            kept = self._series.get(series)
            bounds = _bounds(kept, period) if kept else None
            if kept is None or bounds is None:
                return {}
            if period == "all":
                return dict(kept.total)
            return summed(rows for hour, rows in kept.hours.items() if hour >= bounds[0])

    def hours(self, series: SeriesKey) -> dict[datetime, Totals]:
        """The totals of each of the last hours, oldest first."""
        with self._guard:
            kept = self._series.get(series, SeriesTotals())
            return {hour: dict(kept.hours[hour]) for hour in sorted(kept.hours)}

    def _begin(self) -> None:
        """Read the settled days, and the records of the other days from their beginning.

        A day that is settled between the two would be missed, so reading is repeated if the settled days have changed.
        """
        settled: dict[date, Path] | None = None
        while settled != (found := settled_days(self._folder)):
            settled = found
            with self._guard:
                self._series = {}
                sound = {day: rows for day, path in settled.items() if (rows := self._read_day(path)) is not None}
                for row in [row for rows in sound.values() for row in rows]:
                    self._of(row.key.product, row.key.grid).settle(row)
            self._follower = LedgerFollower(self._folder, without=sound)  # records of a damaged day still count
            self._take(self._follower.read())

    def _read_day(self, path: Path) -> list[DayRow] | None:
        """The totals of a day, or None if they are damaged."""
        try:
            return read_day(path)
        except FileNotFoundError:
            raise  # the file was removed meanwhile; the caller reads again
        except (UnreadableFile, OSError) as error:
            self._damage.drop("ledger", path.name, str(error))
            return None

    def _note_damage(self, follower: LedgerFollower) -> None:
        for name, why in follower.unreadable.items():
            self._damage.drop("ledger", name, why)
        if follower.damaged:
            self._damage.drop("ledger", "lines of scores", "not records of this version")

    def _take(self, records: Iterable[ScoreRecord]) -> None:
        for record in records:
            with self._guard:
                self._of(record.product, record.grid).add(record)

    def _of(self, product: str, grid: str) -> SeriesTotals:
        return self._series.setdefault(SeriesKey(product, grid), SeriesTotals())


def hour_of(valid_time: datetime) -> datetime:
    """The beginning of the hour of an interval that ends at `valid_time`."""
    inside = valid_time - timedelta(microseconds=1)
    return inside.replace(minute=0, second=0, microsecond=0)


def summed(parts: Iterable[Totals]) -> Totals:
    """The sum of several totals."""
    total: Totals = {}
    for rows in parts:
        for row, part in rows.items():
            total[row] = total[row].plus(part) if row in total else part
    return total


def _bounds(kept: SeriesTotals, period: Period) -> tuple[datetime, datetime] | None:
    if kept.newest is None or kept.oldest is None:
        return None
    if period == "all":
        return kept.oldest, kept.newest
    return hour_of(kept.newest) - (HOURS[period] - 1) * _HOUR, kept.newest


def _add(rows: Totals, day: DayRow) -> None:
    row, part = Row(day.key.model, day.key.lead_minutes), Total(day.sums, day.persistence)
    rows[row] = rows[row].plus(part) if row in rows else part
