"""TaxiBJ (Zhang, Zheng and Qi, 2017, arXiv:1610.00081): taxis entering the cells of Beijing, every half hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from radar.sequence import Float32
from training.data.base import Part, SequenceDataset, checked, required

FILES = tuple(f"BJ{year}_M32x32_T30_InOut.h5" for year in (13, 14, 15, 16))
_SLOTS = 48
_TEST_FRAMES = _SLOTS * 7 * 4
"""The last four weeks."""
_STEP = timedelta(minutes=30)


def open_taxibj(
    folder: Path, part: Part, *, input_length: int = 4, leads: int = 4, flow: int = 0, test_frames: int = _TEST_FRAMES
) -> SequenceDataset:
    """Sequences of consecutive half hours of whole days, in units of the training part's range.

    The last four weeks are for testing, and by the paper's protocol also for validation. `flow` is 0 for the taxis that
    enter a cell, which the MS-RNN paper forecasts, or 1 for those that leave it. Values beyond the training part's
    range are clipped.
    """
    if flow not in (0, 1) or min(input_length, leads, test_frames) < 1:
        raise ValueError("expected flow 0 or 1, and input_length, leads and test_frames of 1 or more")
    frames, times = [], []
    for name in FILES:
        path = required(folder / name, "the four files of TaxiBJ, BJ13 to BJ16, which its authors publish")
        values, stamps = _whole_days(*_read(path, flow))
        frames.append(values)
        times += stamps
    joined = np.concatenate(frames)
    border = len(joined) - test_frames
    if border < 1:
        raise ValueError(f"expected more than {test_frames} frames, got {len(joined)}; lower test_frames")
    lowest, highest = float(joined[:border].min()), float(joined[:border].max())
    scaled = ((joined - lowest) / max(highest - lowest, 1e-9)).clip(0, 1).astype(np.float32)
    span = slice(0, border) if part == "train" else slice(border, None)
    return TaxiBJ.of(scaled[span], times[span], input_length, leads)


def _read(path: Path, flow: int) -> tuple[Float32, list[datetime]]:
    """Frames (N, H, W), never negative, and their times."""
    try:
        with h5py.File(path) as file:
            data, dates = file["data"], file["date"]
            values = np.maximum(np.asarray(data[:, flow], np.float32), 0)
            stamps = [_time(bytes(stamp)) for stamp in dates[:]]
    except (OSError, KeyError, IndexError, ValueError, TypeError) as error:
        wanted = "HDF5 with data (N, 2, 32, 32) and date (N,) as YYYYMMDDSS"
        raise ValueError(f"expected {wanted} in {path.name}, got something else ({error})") from error
    if values.ndim != 3 or len(values) != len(stamps):
        raise ValueError(f"expected one date for each frame in {path.name}, got {values.shape} and {len(stamps)}")
    return values, stamps


def _time(stamp: bytes) -> datetime:
    """b"2013070148" is the last half hour of that day: slots count from 01."""
    slot = int(stamp[8:])
    if not 1 <= slot <= _SLOTS:
        raise ValueError(f"slot {slot}")
    return datetime.strptime(stamp[:8].decode(), "%Y%m%d").replace(tzinfo=UTC) + (slot - 1) * _STEP


def _whole_days(values: Float32, times: list[datetime]) -> tuple[Float32, list[datetime]]:
    """The frames without those of incomplete days."""
    days: dict[object, int] = {}
    for time in times:
        days[time.date()] = days.get(time.date(), 0) + 1
    kept = [k for k, time in enumerate(times) if days[time.date()] == _SLOTS]
    return values[kept], [times[k] for k in kept]


@dataclass(frozen=True, eq=False)
class TaxiBJ:
    """Frames (N, H, W) in [0, 1], and the beginnings of sequences without a gap."""

    frames: Float32
    starts: npt.NDArray[np.int64]
    input_length: int
    leads: int
    name: str = "taxibj"

    @classmethod
    def of(cls, frames: Float32, times: list[datetime], input_length: int, leads: int) -> TaxiBJ:
        """The data set of frames and their times, in order."""
        length = input_length + leads
        starts = [k for k in range(len(times) - length + 1) if times[k + length - 1] - times[k] == (length - 1) * _STEP]
        return cls(frames, np.array(starts, np.int64), input_length, leads)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Float32:
        """(T, 1, H, W)."""
        start = int(self.starts[checked(index, len(self))])
        return self.frames[start : start + self.input_length + self.leads, None]
