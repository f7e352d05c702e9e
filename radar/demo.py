"""An hour of synthetic radar files, so that every example works without real data."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from radar.errors import InvalidRequest
from radar.files.odim import write_odim
from radar.files.radolan import write_radolan
from radar.frame import Frame, frames_of
from radar.grid import KNOWN_GRIDS, Grid
from radar.sequence import Float32, FrameSequence
from radar.synthetic import storm_sequence

FRAMES = 13
"""An hour in steps of 5 minutes, both ends included."""
_STEP_MINUTES = 5


def write_demo(folder: Path, *, end: datetime, seed: int) -> tuple[list[Path], list[Path]]:
    """Write one synthetic storm as RADOLAN RY (900x900) and as ODIM HDF5 (DE1200, 1200x1100).

    Parameters
    ----------
    folder : Path
        Created if needed; the files go to its subfolders radolan/ and odim/, since a sequence has one grid.
    end : datetime
        Time of the last frame, rounded down to 5 minutes.
    seed : int
        The same seed gives the same storm: equal arguments write equal files.

    Returns
    -------
    (list of Path, list of Path)
        The RADOLAN and the ODIM files, oldest first.

    Raises
    ------
    InvalidRequest
        A file of that name with other contents exists; nothing is written.
    """
    wide = storm_sequence(
        KNOWN_GRIDS["de1200"],
        FRAMES,
        seed=seed,
        end_time=floor_to_step(end),
        timestep_minutes=_STEP_MINUTES,
        product="RY",
    )
    narrow = on_grid(wide, KNOWN_GRIDS["radolan"])
    radolan = {folder / "radolan" / radolan_name(frame): _gzipped(frame) for frame in frames_of(narrow)}
    odim = {folder / "odim" / odim_name(frame): write_odim(frame) for frame in frames_of(wide)}
    _check_free({**radolan, **odim})
    for path, data in {**radolan, **odim}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return list(radolan), list(odim)


def floor_to_step(time: datetime) -> datetime:
    """The last full 5 minutes, in UTC."""
    time = time.astimezone(UTC)
    return time - timedelta(minutes=time.minute % _STEP_MINUTES, seconds=time.second, microseconds=time.microsecond)


def radolan_name(frame: Frame) -> str:
    """The name that DWD gives its binaries, with the end of the interval."""
    return f"raa01-{frame.product.lower()}_10000-{frame.valid_time:%y%m%d%H%M}-dwd---bin.gz"


def odim_name(frame: Frame) -> str:
    """A name with time and product."""
    return f"{frame.valid_time:%Y%m%d_%H%M}_{frame.product}.h5"


def on_grid(sequence: FrameSequence, grid: Grid) -> FrameSequence:
    """The sequence on another grid: the nearest pixel for every pixel, NaN outside."""
    row, column = _nearest(sequence.grid, grid)
    rows, columns = sequence.grid.shape
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    row, column = row.clip(0, rows - 1), column.clip(0, columns - 1)
    frames: Float32 = np.where(inside, sequence.rain_rate[:, row, column], np.float32(np.nan))
    return FrameSequence(frames, sequence.valid_times, grid, sequence.timestep_minutes, sequence.product)


def _nearest(source: Grid, target: Grid) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row and column in `source` of every pixel of `target`; they may lie outside."""
    row, column = source.to_row_column(*target.lat_lon())
    return np.rint(row).astype(np.int64), np.rint(column).astype(np.int64)


def _gzipped(frame: Frame) -> bytes:
    return gzip.compress(write_radolan(frame), mtime=0)


def _check_free(files: dict[Path, bytes]) -> None:
    for path, data in files.items():
        if path.exists() and path.read_bytes() != data:
            raise InvalidRequest(
                expected="a folder without other files of these names",
                got=f"another {path.name}",
                remedy="name another folder, or remove the file",
            )
