"""Posted arrays with times and grids, from any kind of body; absurd frames are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np

from radar.errors import GridMismatch, InvalidRain, InvalidRequest, ProductMismatch
from radar.grid import Grid, grid_named, grid_of_shape
from radar.quality import HEAVIEST_MM_PER_HOUR
from radar.sequence import Float32, FrameSequence, iso, times_after
from service.bodies.limits import check_shape

LATEST_AHEAD = timedelta(minutes=10)
"""How much later than now the frames of a /predict may be; stored frames have service.history.frame_rules."""


@dataclass(frozen=True)
class Hints:
    """The caller's description of the frames, and the defaults for missing parts.

    Parameters
    ----------
    now : datetime
        UTC.
    valid_time, grid, product, timestep_minutes
        The query's values; None where they are missing.
    usual_timestep_minutes, usual_pixel_size_km
        Defaults for arrays.
    """

    now: datetime
    valid_time: datetime | None = None
    grid: str | None = None
    product: str | None = None
    timestep_minutes: int | None = None
    usual_timestep_minutes: int = 5
    usual_pixel_size_km: float = 1.0


@dataclass(frozen=True)
class Posted:
    """The frames of a body, and the assumptions about them."""

    frames: FrameSequence
    assumed: tuple[str, ...] = ()


def frames_of_array(rain_rate: Float32, hints: Hints, valid_times: Sequence[datetime] | None = None) -> Posted:
    """Frames (T, H, W) in mm/h, row 0 north, with times and grid.

    Raises
    ------
    GridMismatch
        The named grid has another shape.
    IncompleteHistory
        `valid_times` are unordered or unevenly spaced.
    """
    check_shape(rain_rate.shape)
    assumed: list[str] = []
    step = _timestep(hints, valid_times, assumed)
    grid = _grid(hints, (rain_rate.shape[1], rain_rate.shape[2]), assumed)
    if valid_times is None:
        last = _last_time(hints, step, assumed)
        valid_times = times_after(last - timedelta(minutes=step * len(rain_rate)), len(rain_rate), step)
    frames = FrameSequence(rain_rate, tuple(valid_times), grid, step, hints.product or "")
    return Posted(frames, tuple(assumed))


def agree(frames: FrameSequence, hints: Hints) -> FrameSequence:
    """The frames of files, which describe themselves; raises an error if the query contradicts them."""
    if hints.product and frames.product and hints.product != frames.product:
        raise ProductMismatch(
            expected=f"files of product {hints.product}",
            got=frames.product,
            remedy="leave product= out, or correct it",
        )
    if hints.grid and hints.grid != frames.grid.key:
        raise GridMismatch(
            expected=f"files on grid {hints.grid[:60]}", got=frames.grid.key, remedy="leave grid= out, or correct it"
        )
    if hints.timestep_minutes and hints.timestep_minutes != frames.timestep_minutes:
        raise InvalidRequest(
            expected=f"files {hints.timestep_minutes} minutes apart",
            got=f"{frames.timestep_minutes} minutes",
            remedy="leave timestep_minutes= out, or correct it",
        )
    if hints.valid_time and hints.valid_time != frames.valid_times[-1]:
        raise InvalidRequest(
            expected=f"{iso(hints.valid_time)} as the time of the last file",
            got=iso(frames.valid_times[-1]),
            remedy="leave valid_time= out: files hold their own times",
        )
    return replace(frames, product=frames.product or hints.product or "")


def check_plausible(frames: FrameSequence, now: datetime) -> None:
    """Raise InvalidRain for impossible rain, InvalidRequest for impossible times."""
    # fmax ignores NaN.
    heaviest = float(np.fmax.reduce(frames.rain_rate, axis=None))
    if heaviest > HEAVIEST_MM_PER_HOUR:
        raise InvalidRain(
            expected=f"rain rates of at most {HEAVIEST_MM_PER_HOUR:g} mm/h",
            got=f"{heaviest:g} mm/h",
            remedy="send mm/h, NaN where there is no data",
        )
    if frames.reference_time is not None:
        raise InvalidRequest(
            expected="observed frames",
            got=f"a forecast made at {iso(frames.reference_time)}",
            remedy="send observations",
        )
    if frames.valid_times[-1] > now + LATEST_AHEAD:
        raise InvalidRequest(
            expected=f"observed frames, until {iso(now + LATEST_AHEAD)} at the latest",
            got=iso(frames.valid_times[-1]),
            remedy="check the clock and the time zone: times are UTC",
        )


def _timestep(hints: Hints, valid_times: Sequence[datetime] | None, assumed: list[str]) -> int:
    if hints.timestep_minutes:
        return hints.timestep_minutes
    if valid_times and len(valid_times) > 1:
        # The smallest spacing, so that a gap is recognised; FrameSequence finds unordered times.
        minutes = [round(abs((after - before).total_seconds()) / 60) for before, after in pairwise(valid_times)]
        return min([spacing for spacing in minutes if spacing] or [hints.usual_timestep_minutes])
    assumed.append(f"timestep_minutes {hints.usual_timestep_minutes}")
    return hints.usual_timestep_minutes


def _grid(hints: Hints, shape: tuple[int, int], assumed: list[str]) -> Grid:
    if hints.grid is None:
        grid = grid_of_shape(shape, hints.usual_pixel_size_km)
        assumed.append(f"grid {grid.name}, pixel_size_km {grid.pixel_size_km:g} (by the shape)")
        return grid
    grid = grid_named(hints.grid)
    if grid.shape != shape:
        raise GridMismatch(
            expected=f"frames of {grid.shape[0]}x{grid.shape[1]} pixels on grid {grid.name}",
            got=f"{shape[0]}x{shape[1]}",
            remedy="name the right grid, or none",
        )
    return grid


def _last_time(hints: Hints, step: int, assumed: list[str]) -> datetime:
    if hints.valid_time is not None:
        return hints.valid_time
    seconds = 60 * step
    floored = datetime.fromtimestamp(int(hints.now.timestamp()) // seconds * seconds, UTC)
    assumed.append(f"valid_time {iso(floored)} (now)")
    return floored
