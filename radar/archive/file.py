"""The files of the archive: frames of one series as CF NetCDF-4, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np

from radar.archive.frame import DEFLATE_LEVEL, ArchivedFrame
from radar.counts import ARCHIVED, MISSING
from radar.errors import RaincellError, UnreadableFile
from radar.files.netcdf.writer import mapping_attributes, set_attributes, write_dimensions, write_variable
from radar.frame import file_label
from radar.grid import Grid
from radar.system.durable import commit

_TALLIES = {
    "wet_pixels": "pixels of 0.1 mm/h or more",
    "missing_pixels": "pixels without data",
    "saturated_pixels": "pixels above the range of the file",
    "corrections": "how often another frame replaced the one for this time",
}
TEMPORARY = ".part"


@dataclass(frozen=True)
class Series:
    """Product, grid and timestep of frames that belong together."""

    product: str
    grid: Grid
    timestep_minutes: int

    @property
    def timestep(self) -> timedelta:
        """The time from one frame to the next."""
        return timedelta(minutes=self.timestep_minutes)


def write_file(path: Path, series: Series, frames: Sequence[ArchivedFrame]) -> None:
    """Write frames in the order of time; readers, also after a crash, find either the whole old or the whole new file.

    Equal frames give equal bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with h5py.File(temporary, "w") as file:
            _write(file, series, sorted(frames, key=lambda frame: frame.valid_time))
        commit(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_series(path: Path) -> Series:
    """The series that a file belongs to; raises UnreadableFile."""
    with _opened(path) as file:
        return _series(file)


def read_times(path: Path) -> list[datetime]:
    """The times of a file's frames, oldest first; raises UnreadableFile."""
    with _opened(path) as file:
        return _times(file)


def read_frames(
    path: Path, start: datetime | None = None, end: datetime | None = None, *, pixels: bool = True
) -> list[ArchivedFrame]:
    """The frames of a file from `start` to `end`, both included, still compressed.

    Without `pixels` the chunks are empty. Pixels are checked when they are unpacked.

    Raises
    ------
    UnreadableFile
        The file is damaged, or not a file of the archive.
    FileNotFoundError
        The file does not exist.
    """
    with _opened(path) as file:
        times, tallies = _times(file), {name: file[name][()] for name in _TALLIES}
        return [
            ArchivedFrame(time, _chunk(file, index) if pixels else b"", *(int(tallies[t][index]) for t in _TALLIES))
            for index, time in enumerate(times)
            if (start or time) <= time <= (end or time)
        ]


def _chunk(file: h5py.File, index: int) -> bytes:
    return bytes(file["rainfall_rate"].id.read_direct_chunk((index, 0, 0))[1])


def _write(file: h5py.File, series: Series, frames: Sequence[ArchivedFrame]) -> None:
    write_dimensions(file, series.grid, [frame.valid_time for frame in frames])
    rain = file.create_dataset(
        "rainfall_rate",
        shape=(len(frames), *series.grid.shape),
        dtype="<u2",
        chunks=(1, *series.grid.shape),
        shuffle=True,
        compression="gzip",
        compression_opts=DEFLATE_LEVEL,
        fillvalue=MISSING,
    )
    for index, frame in enumerate(frames):
        rain.id.write_direct_chunk((index, 0, 0), frame.chunk)
    for index, name in enumerate(("time", "y", "x")):
        rain.dims[index].attach_scale(file[name])
    rain.attrs["_FillValue"] = np.array([MISSING], np.uint16)
    rain.attrs["scale_factor"] = ARCHIVED.step
    set_attributes(rain, {"standard_name": "rainfall_rate", "long_name": "rainfall rate", "units": "mm h-1"})
    if series.grid.projection is not None:
        write_variable(file, "crs", np.int32(0), (), mapping_attributes(series.grid.projection))
        set_attributes(rain, {"grid_mapping": "crs"})
    for name, meaning in _TALLIES.items():
        values = np.array([getattr(frame, name) for frame in frames], np.int32)
        write_variable(file, name, values, ("time",), {"long_name": meaning})
    set_attributes(file, {"Conventions": "CF-1.9", "product": series.product, "grid": json.dumps(asdict(series.grid))})
    set_attributes(file, {"time_step_s": 60 * series.timestep_minutes, "row_order": "row 0 is north (y descends)"})


def _series(file: h5py.File) -> Series:
    text = {name: _text(file.attrs[name]) for name in ("product", "grid")}
    grid = json.loads(text["grid"])
    grid |= {name: tuple(grid[name]) for name in ("shape", "north_west")}
    return Series(text["product"], Grid(**grid), int(file.attrs["time_step_s"]) // 60)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _times(file: h5py.File) -> list[datetime]:
    return [datetime.fromtimestamp(int(seconds), UTC) for seconds in file["time"][()]]


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """Open a file of the archive, without HDF5's lock: files are never changed, only replaced."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (RaincellError, FileNotFoundError):
        raise
    except Exception as error:  # h5py raises nearly every type there is on damaged files
        if not path.exists():  # HDF5 looks the name up again after opening it, when it may be gone
            raise FileNotFoundError(path) from None
        raise UnreadableFile(
            expected=f"a sound file {file_label(path.name)} in the archive",
            got=f"one that cannot be read ({type(error).__name__})",
            remedy="remove it and prepare that day again",
        ) from None
