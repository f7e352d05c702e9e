"""The scores of live forecasts: a record for every lead time of every run with an observation.

Files are those of `radar.ledger.append_log`, kind "scores", by the day of the run's reference time. A record holds the
sums of all forecasts for the same time: the run itself, the baselines, and unserved models. They were compared on the
same pixels.
Run and lead time identify a record. It counts once, even if the ledger holds it several times.

Records of old days are added up and removed (`radar.ledger.days`); this module reads the others.
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
"""Names of forecasts that do not come from a model."""
STAND_IN = "stand-in"
"""The run itself, where another method stood in for the model; see the record's method."""
KIND = "scores"
"""The kind of these files."""
_VERSION = 1
_LONGEST_LEAD = 31 * 24 * 60
_LONGEST_NAME = 300
_AHEAD = timedelta(days=2)
"""How far a writer's clock may be ahead of this one."""


def model_reference(name: str, version: str) -> str:
    """The name of a model's version in records."""
    return f"{name}/{version}"


@dataclass(frozen=True)
class ScoreRecord:
    """The sums of one lead time of one run.

    Parameters
    ----------
    run : str
        The run's id.
    product, grid : str
        The grid is given by its key.
    reference_time : datetime
        Time of the newest frame that the forecasts start from, UTC.
    lead_minutes : int
    served : str
        The key in `sums` of the served forecast: a model's reference, or `STAND_IN`.
    method : str
        How the served forecast was made: "model", "extrapolation", "persistence".
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
        """The identity of the record: run and lead time."""
        return self.run, self.lead_minutes

    @property
    def valid_time(self) -> datetime:
        """The time of the observation, UTC."""
        return self.reference_time + timedelta(minutes=self.lead_minutes)


class Key(NamedTuple):
    """The key by which scores are added up."""

    product: str
    grid: str
    model: str
    lead_minutes: int


class Pair(NamedTuple):
    """The sums of two forecasts of the same run and lead time, on the same pixels."""

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

    def append(self, record: ScoreRecord) -> None:
        """Add a record; it is on disk when this returns. Raises OSError."""
        self._log.append(record.reference_time, [_to_line(record)])


class LedgerFollower(RecordFollower):
    """Reads a ledger's new records at every call, each record once, even if it was written several times.

    Parameters
    ----------
    folder : Path
    since, until : datetime or None
        Reference times, both included.
    without : set of date
        Days to skip: those that have totals, see `radar.ledger.days`.
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
        self._read_leads: dict[str, set[int]] = {}

    def knows(self, run: str, lead_minutes: int) -> bool:
        """Whether a record was read."""
        return lead_minutes in self._read_leads.get(run, ())

    def read(self) -> Iterator[ScoreRecord]:
        """Yield the records that were added since the last call; raises OSError."""
        for line in self._log.read():
            record = self._first(line)
            if record and self._asked_for(record.reference_time):
                yield record

    def forget(self, beginning: str, before: datetime) -> None:
        """Forget the ids of runs that get no more records.

        Parameters
        ----------
        beginning : str
            The beginning of the ids of a series' runs: the part before the reference time.
        before : datetime
            Reference times before this are forgotten.
        """
        oldest = f"{beginning}.{before:%Y%m%dT%H%MZ}"
        old = [run for run in self._read_leads if run.startswith(f"{beginning}.") and run < oldest]
        for run in old:
            del self._read_leads[run]

    def _asked_for(self, time: datetime) -> bool:
        return (self._since or time) <= time <= (self._until or time)

    def _first(self, line: Line) -> ScoreRecord | None:
        try:
            record = _of_line(line)
        except (RaincellError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
            self._no_records += 1
            return None
        lead_minutes_read = self._read_leads.setdefault(record.run, set())
        if record.lead_minutes in lead_minutes_read:
            return None
        lead_minutes_read.add(record.lead_minutes)
        return record


def read_records(
    folder: Path, product: str | None = None, since: datetime | None = None, until: datetime | None = None
) -> Iterator[ScoreRecord]:
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
    """The sums of two models, given by reference, wherever both forecast, in order of reference time and lead time.

    Of several runs of one reference time the last scored one counts.
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
        In order of reference time; starts without any of the lead times are left out.
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


def _to_line(record: ScoreRecord) -> Line:
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


def _of_line(line: Line) -> ScoreRecord:
    if line["v"] != _VERSION:
        raise ValueError("another version")
    record = ScoreRecord(
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
    """A name in a record; raises ValueError for anything else, since the name becomes a label of a metric."""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
        raise ValueError("no name")
    return value


def past_time(value: object) -> datetime:
    """A time with a zone; raises ValueError if it is far ahead: one in the year 9999 would make all others old."""
    time = datetime.fromisoformat(str(value))
    if time.tzinfo is None or time > datetime.now(UTC) + _AHEAD:
        raise ValueError("a time without its zone, or ahead")
    return time
