"""Reads radar files into one sequence of rain: the container does not change the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from radar.errors import RaincellError, UnreadableFile
from radar.files.frames import iter_frames
from radar.files.netcdf.reader import is_netcdf, read_netcdf
from radar.files.odim import is_odim_file
from radar.files.own_files import own_frames
from radar.files.rydl import is_rydl_file, read_rydl
from radar.frame import Frame, file_label, forecast_refused, observed, sequence_of
from radar.sequence import FrameSequence


@dataclass(frozen=True)
class NamedBytes:
    """A file without a path, e.g. an upload. The name is used in messages only."""

    name: str
    data: bytes


Source = str | Path | NamedBytes


def open_sequence(
    sources: Iterable[Source],
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    observations_only: bool = False,
    variable: str | None = None,
) -> FrameSequence:
    """Read radar files into one sequence, ordered by their own times.

    Parameters
    ----------
    sources : iterable of str, Path or NamedBytes
        RADOLAN binaries (RY, YW, RZ, RX, RW, RV) and ODIM HDF5 composites, each plain, gzip or bzip2; tar archives of
        them, as DWD publishes RV; or one path of a CF NetCDF or RYDL file that holds a whole sequence. The first bytes
        of a file determine its format, never its name.
    start, end : datetime or None
        Leave out earlier and later frames. Of NetCDF and RYDL files the others are not read at all.
    observations_only : bool
        Refuse forecasts, lead 0 included: for callers that need history.
    variable : str or None
        The variable of rain in a NetCDF file that has several; other files have none.

    Returns
    -------
    FrameSequence
        mm/h, row 0 north, NaN = no data; `timestep_minutes` is the product's own; `reference_time` for forecasts.

    Raises
    ------
    UnreadableFile
        A file is of an unknown format, or damaged.
    ProductMismatch, GridMismatch
        The files do not belong together.
    IncompleteHistory
        There are no files, two files for one time, or a gap. All messages name the file, without its folder.
    InvalidRequest
        A file holds a forecast, and `observations_only` is set.
    """
    listed = list(sources)
    if len(listed) == 1 and not isinstance(listed[0], NamedBytes):
        whole = _whole_sequence(Path(listed[0]), start, end, variable)
        if whole is not None:
            if observations_only and whole.reference_time is not None:
                raise forecast_refused(whole.reference_time, f"in {file_label(Path(listed[0]).name)}")
            return whole
    frames: Iterator[Frame] = (frame for source in listed for frame in _frames(source))
    if observations_only:
        frames = observed(frames)
    return sequence_of(f for f in frames if (start or f.valid_time) <= f.valid_time <= (end or f.valid_time))


def _frames(source: Source) -> Iterator[Frame]:
    if isinstance(source, NamedBytes):
        return iter_frames(source.data, source.name)
    return _opened_frames(Path(source), own_frames)


def _opened_frames(path: Path, read: Callable[[Path], Iterator[Frame]]) -> Iterator[Frame]:
    try:
        yield from read(path)
    except OSError as error:
        raise _not_opened(path, error) from None


def _whole_sequence(
    path: Path, start: datetime | None, end: datetime | None, variable: str | None
) -> FrameSequence | None:
    """The sequence in a file that holds a whole one; None for other files."""
    if not holds_sequence(path):
        return None
    if is_rydl_file(path):
        return read_rydl(path, start=start, end=end)
    return read_netcdf(path, start=start, end=end, variable=variable)


def holds_sequence(path: Path) -> bool:
    """Whether a path is NetCDF or RYDL: NetCDF 3 by its first bytes, HDF5 if it is not ODIM; raises UnreadableFile."""
    beginning = _contents(path, 8)
    if not is_netcdf(beginning):
        return False
    return not beginning.startswith(b"\x89HDF") or not is_odim_file(path)


def _contents(path: Path, limit: int) -> bytes:
    """The first bytes of a file."""
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise _not_opened(path, error) from None


def _not_opened(path: Path, error: OSError) -> RaincellError:
    return UnreadableFile(
        expected=f"a readable file {file_label(path.name)}",
        got=(error.strerror or "an error").lower(),
        remedy="check the name and the permissions",
    )
