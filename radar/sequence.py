"""Frames of rain in order: the form in which rain passes through the whole program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from radar.errors import IncompleteHistory, InvalidRain
from radar.grid import Grid

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FrameSequence:
    """Evenly spaced frames of rain on one grid.

    Parameters
    ----------
    rain_rate : float32 (T, H, W)
        mm/h, row 0 north. NaN = no data, which is never the same as 0.
    valid_times : tuple of datetime
        UTC, one per frame: the end of the interval, as in DWD's files.
    grid : Grid
    timestep_minutes : int
    product : str
        E.g. "RY"; empty where unknown.
    reference_time : datetime or None
        When a forecast was made; None for observations.

    Raises
    ------
    IncompleteHistory
        There are no frames, a gap, or duplicate, unordered or unevenly spaced times.
    InvalidRain
        The rain has a wrong shape, or negative or infinite values.
    """

    rain_rate: Float32
    valid_times: tuple[datetime, ...]
    grid: Grid
    timestep_minutes: int
    product: str = ""
    reference_time: datetime | None = None

    def __post_init__(self) -> None:
        _check_rain(self.rain_rate, len(self.valid_times), self.grid)
        check_spacing(self.valid_times, self.timestep_minutes)

    def __len__(self) -> int:
        return len(self.valid_times)

    def last(self, count: int) -> FrameSequence:
        """The newest `count` frames, as a view."""
        return replace(self, rain_rate=self.rain_rate[-count:], valid_times=self.valid_times[-count:])

    @property
    def lead_minutes(self) -> tuple[int, ...]:
        """Minutes from the reference time to each frame; empty for observations."""
        if self.reference_time is None:
            return ()
        return tuple(round((t - self.reference_time).total_seconds() / 60) for t in self.valid_times)


def times_after(start: datetime, count: int, timestep_minutes: int) -> tuple[datetime, ...]:
    """The `count` times that follow `start`, evenly spaced."""
    return tuple(start + timedelta(minutes=timestep_minutes * k) for k in range(1, count + 1))


def midnight(day: date) -> datetime:
    """The beginning of a day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def iso(time: datetime) -> str:
    """ISO 8601 with Z, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_spacing(times: Sequence[datetime], timestep_minutes: int) -> None:
    """Raise IncompleteHistory, naming the times, unless they follow each other by one timestep."""
    wanted = f"frames {timestep_minutes} minutes apart"
    for before, after in pairwise(times):
        minutes = (after - before).total_seconds() / 60
        if minutes == timestep_minutes:
            continue
        pair = f"{iso(before)} and {iso(after)}"
        if minutes == 0:
            raise IncompleteHistory(expected=wanted, got=f"two frames for {iso(after)}", remedy="send each time once")
        if minutes < 0:
            raise IncompleteHistory(expected=wanted, got=f"unordered times {pair}", remedy="order them, oldest first")
        raise IncompleteHistory(
            expected=wanted,
            got=f"{minutes:g} minutes between {pair}",
            remedy="send the missing frames, or only those after the gap",
        )


def _check_rain(rain_rate: Float32, times: int, grid: Grid) -> None:
    if times == 0:
        raise IncompleteHistory(expected="at least one frame", got="none", remedy="send frames")
    if rain_rate.shape != (times, *grid.shape):
        raise InvalidRain(
            expected=f"an array of shape {(times, *grid.shape)} for {times} times on grid {grid.name}",
            got=f"shape {rain_rate.shape}",
            remedy="send one (rows, columns) frame for each time",
        )
    if rain_rate.dtype != np.float32:
        raise InvalidRain(expected="float32 rain rates in mm/h", got=str(rain_rate.dtype), remedy="convert them")
    if (rain_rate < 0).any() or np.isinf(rain_rate).any():
        raise InvalidRain(
            expected="rain rates of 0 mm/h or more, NaN where there is no data",
            got="negative or infinite values",
            remedy="mark missing pixels as NaN",
        )
