"""Statistics of observed frames: one record per frame, in files of `radar.ledger.append_log`, kind "inputs"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from radar.ledger.append_log import AppendLog, LogFollower, RecordFollower, days_over
from radar.ledger.ledger import past_time, text_of
from radar.scores.sums import THRESHOLDS
from radar.sequence import Float32, iso
from radar.system.journal import Line

_KIND, _VERSION = "inputs", 1
_LARGEST = 1e9


class InputRecord(NamedTuple):
    """One observed frame in a few numbers.

    Parameters
    ----------
    product, grid : str
        The grid is given by its key.
    time : datetime
        The frame's valid time, UTC.
    wet_fraction : float or None
        Share of the known pixels at 0.1 mm/h or more; None where no pixel is known.
    maximum : float or None
        mm/h; None where no pixel is known.
    missing_fraction : float
        Share of all pixels.
    gap_minutes : float or None
        Time since the previous frame; None for the first.
    """

    product: str
    grid: str
    time: datetime
    wet_fraction: float | None
    maximum: float | None
    missing_fraction: float
    gap_minutes: float | None


def describe(product: str, grid: str, time: datetime, rain: Float32, before: datetime | None) -> InputRecord:
    """The record of a frame (H, W) in mm/h, NaN = no data; `before` is the time of the previous frame."""
    known = np.isfinite(rain)
    count = int(np.count_nonzero(known))
    return InputRecord(
        product=product,
        grid=grid,
        time=time,
        wet_fraction=int(np.count_nonzero(rain >= THRESHOLDS[0])) / count if count else None,
        maximum=float(rain[known].max()) if count else None,
        missing_fraction=1 - count / rain.size,
        gap_minutes=(time - before).total_seconds() / 60 if before else None,
    )


class InputWriter:
    """Adds records to files that no other process writes."""

    def __init__(self, folder: Path) -> None:
        self._log = AppendLog(folder, _KIND)

    def append(self, record: InputRecord) -> None:
        """Add a record; it is on disk when this returns. Raises OSError."""
        self._log.append(record.time, [{"v": _VERSION, **record._asdict(), "time": iso(record.time)}])


class InputFollower(RecordFollower):
    """Reads new records at every call, one for each frame: the one that is read first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(LogFollower(folder, _KIND))
        self._seen: set[tuple[str, str, datetime]] = set()

    def knows(self, product: str, grid: str, time: datetime) -> bool:
        """Whether a record of the frame was read."""
        return (product, grid, time) in self._seen

    def forget(self, product: str, grid: str, before: datetime) -> None:
        """Forget which older frames have records: those frames do not come again."""
        self._seen = {key for key in self._seen if key[:2] != (product, grid) or key[2] >= before}

    def read(self) -> Iterator[InputRecord]:
        """Yield the records that were added since the last call; raises OSError."""
        for line in self._log.read():
            record = _of_line(line)
            self._no_records += record is None
            if record and record[:3] not in self._seen:
                self._seen.add(record[:3])
                yield record


def drop_old(folder: Path, days: int, now: datetime) -> None:
    """Remove the records of closed days that are older than the newest by more than `days`."""
    for paths in days_over(folder, _KIND, days, now).values():
        for path in paths:
            with suppress(IsADirectoryError, PermissionError):
                path.unlink(missing_ok=True)


def _of_line(line: Line) -> InputRecord | None:
    try:
        if line.pop("v") != _VERSION:
            return None
        missing = _number(line["missing_fraction"])
        return InputRecord(
            product=text_of(line["product"]),
            grid=text_of(line["grid"]),
            time=past_time(line["time"]),
            wet_fraction=_number(line["wet_fraction"]),
            maximum=_number(line["maximum"]),
            missing_fraction=1.0 if missing is None else missing,
            gap_minutes=_number(line["gap_minutes"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _number(value: object) -> float | None:
    """A number of a record, None for null; raises ValueError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        raise ValueError("no number, or one that no frame has")
    return float(value)
