"""One frame of rain as a file holds it, and how frames become a sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from radar.errors import GridMismatch, IncompleteHistory, InvalidRequest, ProductMismatch, RaincellError
from radar.grid import Grid
from radar.sequence import Float32, FrameSequence, check_spacing, iso

_LONGEST_NAME = 60


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of rain.

    Parameters
    ----------
    rain_rate : float32 (H, W)
        mm/h, row 0 north, NaN = no data.
    valid_time : datetime
        UTC, the end of the interval.
    grid : Grid
    timestep_minutes : int
        The product's own interval.
    product : str
        E.g. "RY".
    source : str
        Name of the file, for messages.
    reference_time : datetime or None
        When a forecast was made; None for observations.
    """

    rain_rate: Float32
    valid_time: datetime
    grid: Grid
    timestep_minutes: int
    product: str
    source: str
    reference_time: datetime | None = None


def frames_of(sequence: FrameSequence) -> list[Frame]:
    """The frames of a sequence, one by one, as the writers of files take them."""
    return [
        Frame(rain, time, sequence.grid, sequence.timestep_minutes, sequence.product, "", sequence.reference_time)
        for rain, time in zip(sequence.rain_rate, sequence.valid_times, strict=True)
    ]


def observed(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield the same frames as long as they are observations: a forecast is not history.

    Raises
    ------
    InvalidRequest
        At the first frame of a forecast, lead 0 included, before any other is read.
    """
    for frame in frames:
        if frame.reference_time is not None:
            minutes = round((frame.valid_time - frame.reference_time).total_seconds() / 60)
            raise forecast_refused(frame.reference_time, f"{minutes} minutes ahead, in {frame.source}")
        yield frame


def forecast_refused(reference_time: datetime, where: str) -> InvalidRequest:
    """The error for a forecast where history is needed."""
    return InvalidRequest(
        expected="observed frames",
        got=f"a forecast made at {iso(reference_time)}, {where}",
        remedy="send observations, e.g. RY or YW files: a forecast is not history",
    )


def file_label(name: str) -> str:
    """The name of a file in messages: its last component, printable, at most 60 characters."""
    base = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    printable = "".join(c if c.isprintable() else "?" for c in base)
    return printable if len(printable) <= _LONGEST_NAME else printable[: _LONGEST_NAME - 3] + "..."


def sequence_of(frames: Iterable[Frame]) -> FrameSequence:
    """Order frames by their own times and join them.

    Raises
    ------
    IncompleteHistory
        There are no frames, two frames for one time, or a gap.
    ProductMismatch, GridMismatch
        The frames do not belong together. The messages name the files.
    """
    ordered = sorted(frames, key=lambda frame: frame.valid_time)
    if not ordered:
        raise IncompleteHistory(expected="at least one radar file", got="none", remedy="send radar files")
    first = ordered[0]
    for other in ordered[1:]:
        _check_alike(first, other)
    _check_times(ordered)
    return FrameSequence(
        rain_rate=np.stack([frame.rain_rate for frame in ordered]),
        valid_times=tuple(frame.valid_time for frame in ordered),
        grid=first.grid,
        timestep_minutes=first.timestep_minutes,
        product=first.product,
        reference_time=first.reference_time,
    )


def _check_alike(first: Frame, other: Frame) -> None:
    if first.product != other.product:
        _raise_mismatch(ProductMismatch, "product", (first, other), (first.product, other.product))
    if first.grid != other.grid:
        _raise_mismatch(GridMismatch, "grid", (first, other), (_described(first.grid), _described(other.grid)))
    if first.timestep_minutes != other.timestep_minutes:
        steps = (f"{first.timestep_minutes} minutes", f"{other.timestep_minutes} minutes")
        _raise_mismatch(IncompleteHistory, "interval", (first, other), steps)
    if first.reference_time != other.reference_time:
        made = tuple("observed" if f.reference_time is None else iso(f.reference_time) for f in (first, other))
        _raise_mismatch(IncompleteHistory, "reference time", (first, other), (made[0], made[1]))


def _described(grid: Grid) -> str:
    return f"{grid.name} of {grid.shape[0]}x{grid.shape[1]}"


def _raise_mismatch(
    error: type[RaincellError], what: str, frames: tuple[Frame, Frame], values: tuple[str, str]
) -> None:
    raise error(
        expected=f"files of one {what}",
        got=" and ".join(f"{value} in {frame.source}" for frame, value in zip(frames, values, strict=True)),
        remedy=f"send files of one {what} at a time",
    )


def _check_times(ordered: Sequence[Frame]) -> None:
    """As `check_spacing`, with the two files' names."""
    for before, after in pairwise(ordered):
        try:
            check_spacing((before.valid_time, after.valid_time), before.timestep_minutes)
        except IncompleteHistory as error:
            named = f"{error.got} (files {before.source} and {after.source})"
            raise IncompleteHistory(expected=error.expected, got=named, remedy=error.remedy) from None
