"""RYDL: years of RY in one HDF5 file, the Germany data set of RainNet and MS-RNN, read piece by piece.

Source: Ayzel, 2020, "RYDL: the sample data of the RY product for deep learning applications", Zenodo,
doi:10.5281/zenodo.3629951. One data set of 900x900 pixels for each time, its key YYYYMMDDHHMM in UTC, mm in 5 minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np

from radar.errors import IncompleteHistory, RaincellError, UnreadableFile
from radar.frame import file_label
from radar.grid import KNOWN_GRIDS
from radar.sequence import Float32, FrameSequence, iso
from radar.times import runs_of

TIMESTEP_MINUTES = 5
MOST_FRAMES = 288
"""The most frames of one sequence: a day, 0.9 GB."""

_KEY = re.compile(r"\d{12}")
_GRID = KNOWN_GRIDS["radolan"]


def is_rydl_file(path: str | Path) -> bool:
    """Whether a file is HDF5 whose first key is a time."""
    try:
        with h5py.File(path, "r") as file:
            return _KEY.fullmatch(next(iter(file), "")) is not None
    except Exception:
        return False


def rydl_times(path: str | Path) -> tuple[datetime, ...]:
    """The times of all frames in a file, UTC, in order; no pixel is read.

    Raises
    ------
    UnreadableFile
        The file is not HDF5, or a key is not a time.
    """
    with _opened(path) as file:
        return tuple(_time(key, Path(path)) for key in sorted(file))


def read_rydl(path: str | Path, *, start: datetime | None = None, end: datetime | None = None) -> FrameSequence:
    """One sequence from a RYDL file: all frames from `start` to `end`, both included.

    mm in 5 minutes become mm/h. Negative values and NaN are missing. The file's rows have RADOLAN's order, row 0 south,
    as `wradlib.io.read_radolan_composite` returns them; they are turned north up. Files whose root attribute
    `row_order` begins with "row 0 is north" are not turned.

    Parameters
    ----------
    path : str or Path
    start, end : datetime or None
        UTC; None is the file's first or last time.

    Raises
    ------
    IncompleteHistory
        The period has no frame, a gap, or more than `MOST_FRAMES` frames: choose a shorter one.
    UnreadableFile
        The file is damaged, or its data sets have another shape or hold integers, whose unit is unknown.
    """
    path = Path(path)
    with _opened(path) as file:
        chosen = _between(file, path, start, end)
        if len(chosen) > MOST_FRAMES:
            raise IncompleteHistory(
                expected=f"at most {MOST_FRAMES} frames at once from {file_label(path.name)}",
                got=f"{len(chosen):,} from {iso(chosen[0][0])} to {iso(chosen[-1][0])}",
                remedy="name start and end, or use radar.files.rydl.rydl_sequences",
            )
        return _sequence(file, chosen, path)


def rydl_sequences(
    path: str | Path, *, start: datetime | None = None, end: datetime | None = None, longest: int = 24
) -> Iterator[FrameSequence]:
    """Sequence after sequence from a RYDL file of any size; gaps end a sequence, and only one is in memory.

    Parameters
    ----------
    path, start, end
        As `read_rydl`.
    longest : int
        The most frames of one sequence.

    Raises
    ------
    IncompleteHistory, UnreadableFile
        As `read_rydl`, except for gaps.
    """
    path = Path(path)
    with _opened(path) as file:
        chosen = _between(file, path, start, end)
        for run in runs_of(chosen, lambda pair: pair[0], timedelta(minutes=TIMESTEP_MINUTES), longest):
            yield _sequence(file, run, path)


def _between(file: h5py.File, path: Path, start: datetime | None, end: datetime | None) -> list[tuple[datetime, str]]:
    times = [(_time(key, path), key) for key in sorted(file)]
    chosen = [(time, key) for time, key in times if (start or time) <= time <= (end or time)]
    if not chosen:
        raise IncompleteHistory(
            expected=f"frames of {file_label(path.name)} in the time asked for",
            got=f"none; it reaches from {iso(times[0][0])} to {iso(times[-1][0])}" if times else "an empty file",
            remedy="ask for another time",
        )
    return chosen


def _sequence(file: h5py.File, chosen: list[tuple[datetime, str]], path: Path) -> FrameSequence:
    north_up = str(file.attrs.get("row_order", "")).startswith("row 0 is north")
    frames = np.empty((len(chosen), *_GRID.shape), np.float32)
    for index, (_, key) in enumerate(chosen):
        frame = _rain_rate(file[key], key, path)
        frames[index] = frame if north_up else frame[::-1]
    return FrameSequence(frames, tuple(time for time, _ in chosen), _GRID, TIMESTEP_MINUTES, "RY")


def _rain_rate(dataset: h5py.Dataset, key: str, path: Path) -> Float32:
    if not isinstance(dataset, h5py.Dataset) or dataset.shape != _GRID.shape or dataset.dtype.kind != "f":
        got = f"{dataset.shape} of {dataset.dtype}" if isinstance(dataset, h5py.Dataset) else "a group"
        raise _unreadable(path, "900x900 floating-point pixels", f"{got} at {key}")
    amount = dataset[()].astype(np.float64)
    if np.isinf(amount).any():
        raise _unreadable(path, "finite rain", f"infinite values at {key}")
    # The data set's floats only approximate hundredths of a millimetre, so they are rounded before the factor of 12.
    rate: Float32 = (amount * (60 / TIMESTEP_MINUTES)).astype(np.float32)
    rate[~(amount >= 0)] = np.nan
    return rate


def _time(key: str, path: Path) -> datetime:
    try:
        if _KEY.fullmatch(key):
            return datetime.strptime(key, "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        pass
    raise _unreadable(path, "keys that are times, YYYYMMDDHHMM,", repr(key[:40]))


@contextmanager
def _opened(path: str | Path) -> Iterator[h5py.File]:
    """The file, which is trusted since an operator put it there; damage of any kind raises UnreadableFile."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except RaincellError:
        raise
    except Exception as error:  # h5py raises nearly every type there is on damaged files
        raise _unreadable(Path(path), "a sound HDF5 file", f"one that does not open ({type(error).__name__})") from None


def _unreadable(path: Path, expected: str, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"{expected} in {file_label(path.name)}",
        got=got[:120],
        remedy="write RYDL as in docs/reference/radar-files.md",
    )
