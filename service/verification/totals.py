"""The ledger added up: by hour for the past week, and altogether."""

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
"""How many hours back a period goes from the newest that was scored."""
_HOUR = timedelta(hours=1)
_KEPT_HOURS = 8 * 24
_REMEMBERED = timedelta(days=10)
"""How long ids are remembered: longer than any store keeps runs and frames."""


class Row(NamedTuple):
    """What a total is for."""

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
    """All of one product and grid.

    Parameters
    ----------
    hours : dict of datetime to Totals
        By the beginning of the hour in which the valid time's interval ends.
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
        """Add a total of a day that is over for long."""
        _add(self.total, row)
        self._note(row.first, row.last)

    def _note(self, first: datetime, last: datetime) -> None:
        self.oldest = min(self.oldest or first, first)
        self.newest = max(self.newest or last, last)


class LedgerTotals:
    """What the ledger in a folder comes to, for any thread.

    Parameters
    ----------
    folder : Path
    damage : Damage, optional
        Told of every file of the ledger that does not fit; all others count.
    """

    def __init__(self, folder: Path, damage: Damage | None = None) -> None:
        self._folder = folder
        self._damage = damage or Damage()
        self.complete = False
        """Whether all that was there in the beginning has been read."""
        self._follower: LedgerFollower | None = None
        self._series: dict[SeriesKey, SeriesTotals] = {}
        self._guard = threading.Lock()

    @property
    def damaged(self) -> int:
        """Lines of the ledger that could not be read."""
        return self._follower.damaged if self._follower else 0

    def refresh(self) -> None:
        """Take in what was added to the ledger, by whichever replica; for one thread; raises OSError.

        The first time takes long; what others read meanwhile is not all, see `complete`.
        """
        if self._follower is None or not self.complete:
            self._begin()
        if self._follower:
            self._take(self._follower.read())
            self._note_damage(self._follower)
        self.complete = True

    def knows(self, run_id: str, lead_minutes: int) -> bool:
        """Whether a lead time was scored, as of the last `refresh`."""
        return self._follower is not None and self._follower.knows(run_id, lead_minutes)

    def forget(self, series: SeriesKey, newest: datetime) -> None:
        """Forget ids that are much older than any run of a series that is still kept."""
        if self._follower:
            self._follower.forget(series_tag(series), newest - _REMEMBERED)

    def series(self) -> list[SeriesKey]:
        """Products and grids of which something was scored."""
        with self._guard:
            return sorted(self._series)

    def bounds(self, series: SeriesKey, period: Period) -> tuple[datetime, datetime] | None:
        """The first and the last valid time that a period may hold; None without any score."""
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
        """Take in the days that are settled, and read the others' records from their beginning.

        What is settled later was read before, but a day that is settled in between would be missed: then once more.
        """
        settled: dict[date, Path] | None = None
        while settled != (found := settled_days(self._folder)):
            settled = found
            with self._guard:
                self._series = {}
                sound = {day: rows for day, path in settled.items() if (rows := self._read_day(path)) is not None}
                for row in [row for rows in sound.values() for row in rows]:
                    self._of(row.key.product, row.key.grid).settle(row)
            self._follower = LedgerFollower(self._folder, without=sound)  # what is left of another's records counts
            self._take(self._follower.read())

    def _read_day(self, path: Path) -> list[DayRow] | None:
        """The totals of a day, or None where they are damaged."""
        try:
            return read_day(path)
        except FileNotFoundError:
            raise  # it is looked for again
        except (UnreadableFile, OSError) as error:
            self._damage.drop("ledger", path.name, str(error))
            return None

    def _note_damage(self, follower: LedgerFollower) -> None:
        for name, why in follower.unreadable.items():
            self._damage.drop("ledger", name, why)
        if follower.damaged:
            self._damage.drop("ledger", "lines of scores", "no records of this version")

    def _take(self, records: Iterable[ScoreRecord]) -> None:
        for record in records:
            with self._guard:
                self._of(record.product, record.grid).add(record)

    def _of(self, product: str, grid: str) -> SeriesTotals:
        return self._series.setdefault(SeriesKey(product, grid), SeriesTotals())


def hour_of(valid_time: datetime) -> datetime:
    """The beginning of the hour that holds the interval which ends then."""
    inside = valid_time - timedelta(microseconds=1)
    return inside.replace(minute=0, second=0, microsecond=0)


def summed(parts: Iterable[Totals]) -> Totals:
    """Several totals as one."""
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
