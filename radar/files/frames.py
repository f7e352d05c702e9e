"""The frames in one file's bytes, by format: RADOLAN, ODIM HDF5, and tar archives of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from radar.errors import UnreadableFile
from radar.files.compression import beginning, decompressed
from radar.files.hdf5 import is_hdf5
from radar.files.limits import UPLOADED, Limits
from radar.files.netcdf.reader import is_netcdf, netcdf_refused
from radar.files.odim import read_composite
from radar.files.radolan import read_radolan
from radar.files.radolan_header import is_radolan
from radar.files.rv import read_archive
from radar.files.tar import is_tar
from radar.frame import Frame, file_label


@dataclass(frozen=True)
class FrameFormat:
    """A format of files that hold one frame each.

    Parameters
    ----------
    name : str
        The format's name with its article, for messages.
    recognise : callable
        Whether the bytes of a file, decompressed, are of this format.
    read : callable
        Returns the frame, given those bytes and the file's name; raises UnreadableFile.
    apart : bool
        Whether uploaded files are read in a process of their own.
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
        How large the file may be.

    Raises
    ------
    UnreadableFile
        The file has none of these formats, is damaged or too large, or its product holds no rain rates.
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
"""Other formats that people send, by their first bytes in lower case."""


def _kind_of(content: bytes) -> str:
    start = content[:16].lstrip()
    named = (name for magic, name in _KINDS.items() if start.startswith(magic) or start.lower().startswith(magic))
    return next(named, "neither")
