"""Radar files in, one sequence of rain out: whatever the container, the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from radar.compression import LARGEST_FRAME_FILE, decompressed
from radar.errors import RaincellError, UnreadableFile
from radar.frame import Frame, file_label, sequence_of
from radar.netcdf import is_netcdf, read_netcdf
from radar.odim import is_odim, is_odim_file, read_odim
from radar.radolan import is_radolan, read_radolan
from radar.sequence import FrameSequence


@dataclass(frozen=True)
class NamedBytes:
    """A file that came without a path, e.g. as an upload. The name serves messages only."""

    name: str
    data: bytes


def open_sequence(sources: Iterable[str | Path | NamedBytes]) -> FrameSequence:
    """Read radar files into one sequence, ordered by their own times.

    Parameters
    ----------
    sources : iterable of str, Path or NamedBytes
        RADOLAN RY and YW binaries and ODIM HDF5 composites, each plain, gzip or bzip2; or one path of a CF
        NetCDF file that holds a whole sequence. What a file is, its first bytes say, never its name.

    Returns
    -------
    FrameSequence
        mm/h, row 0 north, NaN = no data; `timestep_minutes` is the product's own.

    Raises
    ------
    UnreadableFile
        Not a file that is read here, or damaged.
    ProductMismatch, GridMismatch
        Files that do not belong together.
    IncompleteHistory
        No files, two for one time, or a gap. All texts name the file, without its folder.
    """
    listed = list(sources)
    if len(listed) == 1 and not isinstance(listed[0], NamedBytes):
        path = Path(listed[0])
        if _holds_netcdf(path):
            return read_netcdf(path)
    return sequence_of(frame for source in listed for frame in _frames(source))


def read_frames(data: bytes, name: str) -> list[Frame]:
    """The frames that one file's bytes hold, in the file's order.

    Parameters
    ----------
    data : bytes
        A RADOLAN binary or an ODIM HDF5 composite: plain, gzip or bzip2.
    name : str
        The file's name for messages; folders are cut off.

    Raises
    ------
    UnreadableFile
        Neither of these, damaged, too large, or a product that holds no rain rates.
    """
    label = file_label(name)
    content = decompressed(data, label)
    for recognised, read in _readers():
        if recognised(content):
            return read(content, label)
    if is_netcdf(content):
        raise UnreadableFile(
            expected=f"a radar composite in {label}",
            got="NetCDF, which is read from a path only",
            remedy="send RADOLAN or ODIM HDF5 files, or the rain as application/x-npy",
        )
    raise UnreadableFile(
        expected=f"a RADOLAN binary or an ODIM HDF5 composite in {label}",
        got="no bytes" if not content else "neither",
        remedy="send RY or YW files as DWD publishes them",
    )


def _readers() -> tuple[tuple[Callable[[bytes], bool], Callable[[bytes, str], list[Frame]]], ...]:
    """Who recognises which bytes, and reads them. A new container is one line."""
    return (
        (is_radolan, lambda data, name: [read_radolan(data, name)]),
        (is_odim, lambda data, name: [read_odim(data, name)]),
    )


def _frames(source: str | Path | NamedBytes) -> list[Frame]:
    if isinstance(source, NamedBytes):
        return read_frames(source.data, source.name)
    path = Path(source)
    return read_frames(_contents(path), path.name)


def _holds_netcdf(path: Path) -> bool:
    """Whether a path is NetCDF: version 3 by its first bytes, HDF5 if it is not ODIM."""
    beginning = _contents(path, 8)
    if not is_netcdf(beginning):
        return False
    return not beginning.startswith(b"\x89HDF") or not is_odim_file(path)


def _contents(path: Path, limit: int = LARGEST_FRAME_FILE + 1) -> bytes:
    """At most one byte more than a frame file may have, so that a larger one is refused, not read."""
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
