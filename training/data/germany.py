"""Rain over Germany by radar (RADOLAN and RADKLIM of Deutscher Wetterdienst), by the authors' protocol or in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from radar.rain import RainScaling
from radar.sequence import Float32
from training.data.base import Part, SequenceDataset, checked
from training.data.germany_sources import RadarSource, open_sources

YEARS: dict[Part, tuple[int, ...]] = {"train": tuple(range(2006, 2015)), "validation": (2015,), "test": (2016, 2017)}
_AUTHORS_SIZE = 124


def open_germany(
    folder: Path,
    part: Part,
    *,
    protocol: Literal["native", "authors"] = "native",
    input_length: int = 5,
    leads: int | None = None,
    years: Sequence[int] | None = None,
    stride: int | None = None,
) -> SequenceDataset:
    """Sequences from RYDL HDF5, RADKLIM NetCDF, an archive of this project, or RY or YW files, anywhere in `folder`.

    Parameters
    ----------
    folder : Path
    part : "train", "validation" or "test"
        2006 to 2014, 2015, and 2016 and 2017, unless `years` is given.
    protocol : "native" or "authors"
        "native": unchanged frames, 5 minutes apart, 5 to read and 12 to forecast. "authors": the protocol of the MS-RNN
        paper, with every sixth frame, 5 to read and 5 to forecast, the whole country resized to 124 x 124 pixels.
    input_length, leads : int
    years : sequence of int
    stride : int
        Frames from the beginning of one sequence to that of the next; by default sequences do not overlap.

    Raises
    ------
    FileNotFoundError
        `folder` holds no such files.
    UnreadableFile
        A file has another format, or is damaged; the error names it.
    """
    if protocol not in ("native", "authors"):
        raise ValueError(f'expected the protocol "native" or "authors", got {protocol!r}')
    leads = leads or (12 if protocol == "native" else 5)
    length = input_length + leads
    if min(input_length, leads, stride or length) < 1:
        raise ValueError("expected input_length, leads and stride of 1 or more; correct the options")
    step = timedelta(minutes=5 if protocol == "native" else 30)
    wanted = set(years or YEARS[part])
    windows: list[tuple[RadarSource, datetime]] = []
    for source in open_sources(folder):
        times = [time for time in source.times() if time.year in wanted and _on_step(time, step)]
        windows += [(source, start) for start in window_starts(times, step, length, stride or length)]
    return Germany(tuple(windows), input_length, leads, step, _AUTHORS_SIZE if protocol == "authors" else None)


def _on_step(time: datetime, step: timedelta) -> bool:
    return (time.hour * 60 + time.minute) % (step // timedelta(minutes=1)) == 0


def window_starts(times: Sequence[datetime], step: timedelta, length: int, stride: int) -> list[datetime]:
    """First times of windows of `length` frames without a gap; each begins `stride` frames after the previous one."""
    starts: list[datetime] = []
    k = 0
    while k + length <= len(times):
        broken = [j for j in range(k + 1, k + length) if times[j] - times[j - 1] != step]
        if broken:
            k = broken[-1]
            continue
        starts.append(times[k])
        k += stride
    return starts


@dataclass(frozen=True, eq=False)
class Germany:
    """Windows of radar frames, read on demand.

    Parameters
    ----------
    windows : tuple
        The source of each window, and its first time.
    step : timedelta
    size : int or None
        Rows and columns that frames are resized to.
    scaling : RainScaling
        mm/h to [0, 1].
    """

    windows: tuple[tuple[RadarSource, datetime], ...]
    input_length: int
    leads: int
    step: timedelta
    size: int | None = None
    scaling: RainScaling = RainScaling()
    name: str = "germany"

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Float32:
        """(T, 1, H, W) in [0, 1]; NaN = no data."""
        units = self.scaling.to_network(self.rain_rate(index))
        return np.stack([resized(frame, self.size) if self.size else frame for frame in units])[:, None]

    def scaled(self, scaling: RainScaling) -> Germany:
        """The same data set in the units of another scaling."""
        return replace(self, scaling=scaling)

    def rain_rate(self, index: int) -> Float32:
        """The same frames (T, H, W) in mm/h, unscaled."""
        source, start = self.windows[checked(index, len(self))]
        return source.rain_rate([start + k * self.step for k in range(self.input_length + self.leads)])


def resized(frame: Float32, size: int) -> Float32:
    """A frame (H, W) resized to size x size pixels, bilinearly; NaN where more than half of a weight is missing."""
    known = np.isfinite(frame)
    shape = (size, size)
    total = cv2.resize(np.where(known, frame, np.float32(0)), shape, interpolation=cv2.INTER_LINEAR)
    weight = cv2.resize(known.astype(np.float32), shape, interpolation=cv2.INTER_LINEAR)
    return np.where(weight >= 0.5, total / np.maximum(weight, np.float32(0.5)), np.float32(np.nan)).astype(np.float32)
