"""Old days of a ledger as totals: their records are added up in a small file and removed.

    FOLDER/scores-<YYYYMMDD>.totals.json

Once a day has totals its records no longer count, even if a crash has left some of them.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from radar.errors import UnreadableFile
from radar.ledger.append_log import day_of, days_over
from radar.ledger.ledger import KIND, PERSISTENCE, Key, LedgerFollower, ScoreRecord, past_time, text_of
from radar.scores.sums import ScoreSums, from_json, to_json
from radar.sequence import iso, midnight
from radar.system.durable import sync
from radar.system.regular_file import read_json

_VERSION = 1
_NAME = re.compile(r"scores-(\d{8})\.totals\.json")


class DayRow(NamedTuple):
    """The total of one key over one day.

    Parameters
    ----------
    key : Key
    sums, persistence : ScoreSums
        The sums of the model, and of persistence in the same records.
    first, last : datetime
        The first and last valid time of the records in it.
    """

    key: Key
    sums: ScoreSums
    persistence: ScoreSums
    first: datetime
    last: datetime

    def plus(self, other: DayRow) -> DayRow:
        """Both together."""
        return DayRow(
            self.key,
            self.sums + other.sums,
            self.persistence + other.persistence,
            min(self.first, other.first),
            max(self.last, other.last),
        )


def rows_of(record: ScoreRecord) -> list[DayRow]:
    """The totals of a single record."""
    still, time = record.sums.get(PERSISTENCE, ScoreSums()), record.valid_time
    return [
        DayRow(Key(record.product, record.grid, model, record.lead_minutes), sums, still, time, time)
        for model, sums in record.sums.items()
    ]


def added_up(rows: Iterable[DayRow]) -> list[DayRow]:
    """One total for each key, in order."""
    totals: dict[Key, DayRow] = {}
    for row in rows:
        totals[row.key] = totals[row.key].plus(row) if row.key in totals else row
    return [totals[key] for key in sorted(totals)]


def settled_days(folder: Path) -> dict[date, Path]:
    """The files of days with totals, oldest first."""
    try:
        found = [(_NAME.fullmatch(path.name), path) for path in sorted(folder.iterdir())]
    except FileNotFoundError:
        return {}
    dated = [(day_of(match[1]), path) for match, path in found if match]
    return {day: path for day, path in dated if day}


def read_day(path: Path) -> list[DayRow]:
    """The totals in a file of `settled_days`; raises UnreadableFile or OSError."""
    try:
        content = read_json(path)
        if content["v"] != _VERSION:
            raise ValueError("another version")
        return [_of_json(row) for row in content["rows"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UnreadableFile(
            expected=f"totals of a day in {path.name}",
            got=f"another content ({type(error).__name__})",
            remedy="restore it from a copy, or remove it: the scores of that day are gone",
        ) from None


def settle(folder: Path, days: int, now: datetime) -> list[date]:
    """Settle the days that are older than the newest by more than `days`; returns the settled days. Raises OSError.

    A kill at any moment, or several processes that settle at a time, do not change the ledger's sums.
    """
    over = days_over(folder, KIND, days, now)
    for day, paths in over.items():
        _settle(folder, day, paths)
    return list(over)


def _settle(folder: Path, day: date, paths: list[Path]) -> None:
    target = folder / f"scores-{day:%Y%m%d}.totals.json"
    if not target.exists():
        start = midnight(day)
        records = LedgerFollower(folder, start, start + timedelta(days=1) - timedelta(microseconds=1)).read()
        rows = added_up(row for record in records for row in rows_of(record))
        _write(target, {"v": _VERSION, "rows": [_to_json(row) for row in rows]})
    if not _reads(target):
        return  # damaged totals, or a broken link: the remaining records stay
    sync(folder)  # the totals' name is on disk before the records are removed
    for path in paths:
        with suppress(IsADirectoryError, PermissionError):  # a folder of such a name holds no records
            path.unlink(missing_ok=True)


def _reads(target: Path) -> bool:
    try:
        read_day(target)
    except (UnreadableFile, OSError):
        return False
    return True


def _write(target: Path, content: dict[str, Any]) -> None:
    """Write a file unless it exists: a later process may have found some of the records removed already."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with temporary.open("w") as file:
            file.write(json.dumps(content, separators=(",", ":"), allow_nan=False))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            target.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)


def _to_json(row: DayRow) -> dict[str, Any]:
    sums = {"sums": to_json(row.sums), "persistence": to_json(row.persistence)}
    return {**row.key._asdict(), "first": iso(row.first), "last": iso(row.last), **sums}


def _of_json(row: dict[str, Any]) -> DayRow:
    key = Key(text_of(row["product"]), text_of(row["grid"]), text_of(row["model"]), int(row["lead_minutes"]))
    times = past_time(row["first"]), past_time(row["last"])
    return DayRow(key, from_json(row["sums"]), from_json(row["persistence"]), *times)
