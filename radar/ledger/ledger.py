"""The scores of live forecasts: a record for every lead time of every run with an observation.

Files are those of `radar.ledger.append_log`, kind "scores", by the day of the run's reference time. A record holds the
sums of all that forecast the same: the run itself, the baselines, others beside it. They were compared on the same
pixels.
A record is known by its run and lead time, and counts once however often it stands there.

Records of days long past are added up and go (`radar.ledger.days`): what is read here are the others.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from radar.errors import RaincellError
from radar.ledger.append_log import AppendLog, LogFollower, RecordFollower
from radar.scores.pixels import Float64
from radar.scores.sums import ScoreSums, from_json, to_json
from radar.sequence import iso
from radar.system.journal import Line

PERSISTENCE, EXTRAPOLATION, DWD = "persistence", "extrapolation", "dwd-rv"
"""What forecasts that are no model's are called."""
STAND_IN = "stand-in"
"""The run itself, where something else was served instead of the model; see the record's method."""
KIND = "scores"
"""Of the files."""
_VERSION = 1
_LONGEST_LEAD = 31 * 24 * 60
_LONGEST_NAME = 300
_AHEAD = timedelta(days=2)
"""How far ahead of this clock another's may write."""


def model_reference(name: str, version: str) -> str:
    """What a model's version is called in records."""
    return f"{name}/{version}"


@dataclass(frozen=True)
class Record:
    """The sums of one lead time of one run.

    Parameters
    ----------
    run : str
        Its id.
    product, grid : str
        The grid by its key.
    reference_time : datetime
        UTC, of the newest frame that the forecasts start from.
    lead_minutes : int
    served : str
        Which of `sums` was served: a model's reference, or `STAND_IN`.
    method : str
        What made the served one: "model", "extrapolation", "persistence".
    sums : mapping of str to ScoreSums
        By model reference ("name/version"), `PERSISTENCE`, `EXTRAPOLATION`, `DWD`.
    """

    run: str
    product: str
    grid: str
    reference_time: datetime
    lead_minutes: int
    served: str
    method: str
    sums: Mapping[str, ScoreSums]

    @property
    def id(self) -> tuple[str, int]:
        """What it counts once by."""
        return self.run, self.lead_minutes

    @property
    def valid_time(self) -> datetime:
        """UTC, of the observation."""
        return self.reference_time + timedelta(minutes=self.lead_minutes)


class Key(NamedTuple):
    """What scores are added up by."""

    product: str
    grid: str
    model: str
    lead_minutes: int


class Pair(NamedTuple):
    """What two forecasts of the same run and lead time came to, on the same pixels."""

    product: str
    grid: str
    reference_time: datetime
    lead_minutes: int
    mine: ScoreSums
    theirs: ScoreSums


class LedgerWriter:
    """Adds records to files that no other process writes."""

    def __init__(self, folder: Path) -> None:
        self._log = AppendLog(folder, KIND)

    def append(self, record: Record) -> None:
        """Add a record, on the disk when this returns; raises OSError."""
        self._log.append(record.reference_time, [_to_line(record)])


class LedgerFollower(RecordFollower):
    """Reads a ledger again and again, each record once, whoever wrote it how often.

    Parameters
    ----------
    folder : Path
    since, until : datetime or None
        Reference times, both included.
    without : set of date
        Days to pass over: those that have totals, see `radar.ledger.days`.
    """

    def __init__(
        self,
        folder: Path,
        since: datetime | None = None,
        until: datetime | None = None,
        without: Container[date] = (),
    ) -> None:
        first, last = since.date() if since else None, until.date() if until else None
        super().__init__(LogFollower(folder, KIND, first, last, without))
        self._since, self._until = since, until
        self._seen: dict[str, set[int]] = {}

    def knows(self, run: str, lead_minutes: int) -> bool:
        """Whether a record was read."""
        return lead_minutes in self._seen.get(run, ())

    def read(self) -> Iterator[Record]:
        """The records that were added since the last call; raises OSError."""
        for line in self._log.read():
            record = self._first(line)
            if record and self._asked_for(record.reference_time):
                yield record

    def forget(self, beginning: str, before: datetime) -> None:
        """Forget the ids of runs of which no record comes any more.

        Parameters
        ----------
        beginning : str
            Of the ids of a series' runs: the part before their reference time.
        before : datetime
            Reference times before this are forgotten.
        """
        oldest = f"{beginning}.{before:%Y%m%dT%H%MZ}"
        old = [run for run in self._seen if run.startswith(f"{beginning}.") and run < oldest]
        for run in old:
            del self._seen[run]

    def _asked_for(self, time: datetime) -> bool:
        return (self._since or time) <= time <= (self._until or time)

    def _first(self, line: Line) -> Record | None:
        try:
            record = _of_line(line)
        except (RaincellError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
            self._no_records += 1
            return None
        seen = self._seen.setdefault(record.run, set())
        if record.lead_minutes in seen:
            return None
        seen.add(record.lead_minutes)
        return record


def read_records(
    folder: Path, product: str | None = None, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Record]:
    """The records of runs with reference times from `since` to `until`, both included; each counts once."""
    for record in LedgerFollower(folder, since, until).read():
        if product in (None, record.product):
            yield record


def read_scores(
    folder: Path, product: str | None = None, since: datetime | None = None, until: datetime | None = None
) -> dict[Key, ScoreSums]:
    """Totals by product, grid, model and lead time; parameters as in `read_records`."""
    totals: dict[Key, ScoreSums] = {}
    for record in read_records(folder, product, since, until):
        for model, sums in record.sums.items():
            key = Key(record.product, record.grid, model, record.lead_minutes)
            totals[key] = totals[key] + sums if key in totals else sums
    return totals


def read_pairs(
    folder: Path,
    mine: str,
    theirs: str,
    product: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Pair]:
    """What two models, by reference, came to wherever both forecast, in order of reference and lead time.

    Of several runs of one reference time the one that was scored last counts.
    """
    pairs = {
        (record.product, record.grid, record.reference_time, record.lead_minutes): record
        for record in read_records(folder, product, since, until)
        if mine in record.sums and theirs in record.sums
    }
    return [Pair(*key, record.sums[mine], record.sums[theirs]) for key, record in sorted(pairs.items())]


def paired_by_reference_time(
    pairs: Sequence[Pair], lead_minutes: Sequence[int] | None = None
) -> tuple[Float64, Float64]:
    """The sums of both over the given lead times (all if None), one row for each reference time, for resampling.

    Returns
    -------
    tuple of float64 (starts, LIVE.size)
        In order of reference time; starts that have none of the lead times are left out.
    """
    chosen = [pair for pair in pairs if lead_minutes is None or pair.lead_minutes in lead_minutes]
    starts: dict[tuple[datetime, str, str], list[Pair]] = {}
    for pair in chosen:
        starts.setdefault((pair.reference_time, pair.product, pair.grid), []).append(pair)
    rows = [starts[start] for start in sorted(starts)]
    empty = np.empty((0, len(ScoreSums().values)))
    mine = [np.sum([pair.mine.values for pair in row], axis=0) for row in rows]
    theirs = [np.sum([pair.theirs.values for pair in row], axis=0) for row in rows]
    return (np.stack(mine), np.stack(theirs)) if rows else (empty, empty)


def _to_line(record: Record) -> Line:
    return {
        "v": _VERSION,
        "run": record.run,
        "product": record.product,
        "grid": record.grid,
        "base": iso(record.reference_time),
        "valid": iso(record.valid_time),
        "lead": record.lead_minutes,
        "served": record.served,
        "method": record.method,
        "sums": {model: to_json(sums) for model, sums in record.sums.items()},
    }


def _of_line(line: Line) -> Record:
    if line["v"] != _VERSION:
        raise ValueError("another version")
    record = Record(
        run=text_of(line["run"]),
        product=text_of(line["product"]),
        grid=text_of(line["grid"]),
        reference_time=past_time(line["base"]),
        lead_minutes=int(line["lead"]),
        served=text_of(line["served"]),
        method=text_of(line["method"]),
        sums={text_of(model): from_json(content) for model, content in line["sums"].items()},
    )
    if not 0 <= record.lead_minutes <= _LONGEST_LEAD:
        raise ValueError("a lead time that no run has")
    return record


def text_of(value: object) -> str:
    """A name as records hold it; raises ValueError for anything else, since it becomes a label of a metric."""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
        raise ValueError("no name")
    return value


def past_time(value: object) -> datetime:
    """A time with its zone that is not far ahead: one of the year 9999 would make all others old."""
    time = datetime.fromisoformat(str(value))
    if time.tzinfo is None or time > datetime.now(UTC) + _AHEAD:
        raise ValueError("a time without its zone, or ahead")
    return time
