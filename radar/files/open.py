"""Radar files in, one sequence of rain out: whatever the container, the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from radar.errors import RaincellError, UnreadableFile
from radar.files.compression import beginning, decompressed
from radar.files.hdf5 import is_hdf5
from radar.files.limits import UPLOADED, Limits
from radar.files.netcdf.reader import is_netcdf, netcdf_refused, read_netcdf
from radar.files.odim import is_odim_file, read_composite
from radar.files.radolan import read_radolan
from radar.files.radolan_header import is_radolan
from radar.files.rv import read_archive
from radar.files.rydl import is_rydl_file, read_rydl
from radar.files.tar import is_tar
from radar.frame import Frame, file_label, forecast_refused, observed, sequence_of
from radar.sequence import FrameSequence


@dataclass(frozen=True)
class NamedBytes:
    """A file that came without a path, e.g. as an upload. The name serves messages only."""

    name: str
    data: bytes


Source = str | Path | NamedBytes


@dataclass(frozen=True)
class FrameFormat:
    """A format of files that hold one frame each.

    Parameters
    ----------
    name : str
        With its article, for messages.
    recognise : callable
        Whether the bytes of a file, decompressed, are of this format.
    read : callable
        The frame, given those bytes and the file's name; raises UnreadableFile.
    apart : bool
        Whether files from strangers are read in a process of their own.
    """

    name: str
    recognise: Callable[[bytes], bool]
    read: Callable[[bytes, str], Frame]
    apart: bool = False


FORMATS = (
    FrameFormat("a RADOLAN binary", is_radolan, read_radolan),
    FrameFormat("an ODIM HDF5 composite", is_hdf5, read_composite, apart=True),
)
"""A new format of single frames is one module and one row here. NetCDF and RYDL hold whole sequences."""


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
        them, as DWD publishes RV; or one path of a CF NetCDF or RYDL file that holds a whole sequence. What a file
        is, its first bytes say, never its name.
    start, end : datetime or None
        Leave out earlier and later frames. NetCDF and RYDL files then read no others.
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
        Not a file that is read here, or damaged.
    ProductMismatch, GridMismatch
        Files that do not belong together.
    IncompleteHistory
        No files, two for one time, or a gap. All texts name the file, without its folder.
    InvalidRequest
        A forecast, where only observations will do.
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


def read_frames(data: bytes, name: str) -> list[Frame]:
    """The frames that one file's bytes hold, in the file's order; see `iter_frames`."""
    return list(iter_frames(data, name))


def iter_frames(
    data: bytes, name: str, read_hdf5: Callable[[bytes, str], Frame] = read_composite, limits: Limits = UPLOADED
) -> Iterator[Frame]:
    """The frames that one file's bytes hold, in the file's order, one in memory at a time.

    Parameters
    ----------
    data : bytes
        A RADOLAN binary, an ODIM HDF5 composite or a tar archive of them: plain, gzip or bzip2.
    name : str
        The file's name for messages; folders are cut off.
    read_hdf5 : callable
        Reads the bytes of one HDF5 file, given its name, e.g. in another process.
    limits : Limits
        How large it may be.

    Raises
    ------
    UnreadableFile
        None of these, damaged, too large, or a product that holds no rain rates.
    """
    label = file_label(name)
    if is_tar(beginning(data, label, 512)):
        yield from read_archive(data, label, read_hdf5, limits)
        return
    content = decompressed(data, label, limits.frame_bytes)
    found = next((each for each in FORMATS if each.recognise(content)), None)
    if found is None:
        raise _not_read(content, label)
    yield (read_hdf5 if found.apart else found.read)(content, label)


def _not_read(content: bytes, label: str) -> UnreadableFile:
    if is_netcdf(content):
        return netcdf_refused(label)
    return UnreadableFile(
        expected=f"{' or '.join(each.name for each in FORMATS)} in {label}",
        got="no bytes" if not content else _kind_of(content),
        remedy="send RY or YW files as DWD publishes them",
    )


_KINDS = {
    b"PK\x03\x04": "a zip archive, which has to be unpacked",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b"\x89PNG": "a PNG image",
    b"GIF8": "a GIF image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GRIB": "a GRIB file",
    b"BUFR": "a BUFR file",
    b"<!doctype html": "a page of HTML, perhaps a server's error",
    b"<html": "a page of HTML, perhaps a server's error",
    b"<?xml": "an XML file",
    b"ncols": "a grid as ASCII text",
}
"""What else people send, by its first bytes in small letters."""


def _kind_of(content: bytes) -> str:
    start = content[:16].lstrip()
    named = (name for magic, name in _KINDS.items() if start.startswith(magic) or start.lower().startswith(magic))
    return next(named, "neither")


def _frames(source: Source) -> Iterator[Frame]:
    if isinstance(source, NamedBytes):
        return iter_frames(source.data, source.name)
    # Here, since it reads frames by this module's own iter_frames.
    from radar.files.own_files import own_frames

    return _opened_frames(Path(source), own_frames)


def _opened_frames(path: Path, read: Callable[[Path], Iterator[Frame]]) -> Iterator[Frame]:
    try:
        yield from read(path)
    except OSError as error:
        raise _not_opened(path, error) from None


def _whole_sequence(
    path: Path, start: datetime | None, end: datetime | None, variable: str | None
) -> FrameSequence | None:
    """What a file holds that is a sequence by itself; None if it is none."""
    if not holds_sequence(path):
        return None
    if is_rydl_file(path):
        return read_rydl(path, start=start, end=end)
    return read_netcdf(path, start=start, end=end, variable=variable)


def holds_sequence(path: Path) -> bool:
    """Whether a path is NetCDF or RYDL: version 3 by its first bytes, HDF5 if it is not ODIM; raises UnreadableFile."""
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
