"""Radar files on an operator's own disk: archives of any size and depth, read as a stream.

A month of RADKLIM is a tar file of tar.gz files, one for each day with 288 frames. Nothing is unpacked to a disk.
Unlike `radar.files.tar`, which reads uploads, this module follows folders, long names and links, and continues after
a damaged member.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol, cast

from radar.errors import RaincellError, UnreadableFile
from radar.files.frames import iter_frames
from radar.files.limits import OWN, Limits
from radar.files.rv import of_run
from radar.frame import Frame, file_label

_DEEPEST = 4
"""Levels of archives within archives: a tar of years, of months, of days."""

Report = Callable[[RaincellError], None]
"""Called with the error of each bad file, which the error names; it raises where one bad file must end the reading."""

_OPENERS: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda file: cast(IO[bytes], gzip.GzipFile(fileobj=file)),
    b"BZh": lambda file: cast(IO[bytes], bz2.BZ2File(file)),
    b"\xfd7zXZ\0": lambda file: cast(IO[bytes], lzma.LZMAFile(file)),  # noqa: SIM115  nothing to close
}
_BLOCK = tarfile.BLOCKSIZE
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError)


class Readable(Protocol):
    """A file that can only be read forward."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes, all remaining ones if `size` is negative; none at the end."""


def own_frames(path: Path, report: Report | None = None) -> Iterator[Frame]:
    """The frames of a file, or of an archive and all archives in it, one by one.

    Parameters
    ----------
    path : Path
        RADOLAN, ODIM HDF5, or a tar archive: plain, gzip, bzip2 or xz.
    report : callable or None
        Called for each bad file in an archive, after which the next one is read; None raises at the first.

    Raises
    ------
    UnreadableFile
        The file, or the archive as a whole, cannot be read.
    OSError
        The disk fails.
    """
    label, report = file_label(path.name), report or raise_it
    with path.open("rb") as file:
        for name, content in frame_files(file, label, OWN, report):
            try:
                for frame in iter_frames(content, name, limits=OWN):
                    yield of_run(frame) if name != label else frame
            except RaincellError as error:
                if name == label:
                    raise
                report(error)


def raise_it(error: RaincellError) -> None:
    """The report for callers that need every file of an archive."""
    raise error


def frame_files(
    file: Readable, name: str, limits: Limits, report: Report = raise_it, depth: int = 0
) -> Iterator[tuple[str, bytes]]:
    """The single-frame files in a file, as (name, decompressed contents): the file itself, or those in its archives.

    Parameters
    ----------
    file : readable
        Read once from the beginning to the end: gzip, bzip2, xz, tar, these in each other, or anything else.
    name : str
        The name for messages, and for a file that is not an archive.
    limits : Limits
    report : callable
        Called for members that are damaged or too large; the others are still read.
    depth : int
        In how many archives the file lies.

    Raises
    ------
    UnreadableFile
        The file itself is damaged or too large.
    OSError
        The disk fails.
    """
    try:
        head, plain = _undone(file)
        if not _is_tar(head):
            yield name, _whole(plain, name, limits.frame_bytes)
        elif depth == _DEEPEST:
            raise _unreadable(name, f"archives in archives, {_DEEPEST} deep at most,", "more")
        else:
            yield from _members(plain, name, limits, report, depth)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the file
            raise
        raise _unreadable(name, "a whole file", f"a damaged one ({error})") from None


def _members(file: Readable, name: str, limits: Limits, report: Report, depth: int) -> Iterator[tuple[str, bytes]]:
    def damaged_header() -> None:
        report(_unreadable(name, "a sound tar archive", "a damaged header, whose file is passed by"))

    class Entry(_Entry):
        on_damage = staticmethod(damaged_header)

    count = 0
    # Zeros are ignored, so that members after a damaged header or after another archive's end are found.
    with tarfile.open(fileobj=cast(IO[bytes], file), mode="r|", tarinfo=Entry, ignore_zeros=True) as archive:
        for entry in archive:
            cast(Any, archive).members.clear()  # tarfile keeps them all, to seek back to
            member = archive.extractfile(entry) if entry.isreg() else None
            if member is None:
                continue
            count += 1
            if count > limits.archive_files:
                raise _unreadable(name, f"at most {limits.archive_files:,} files", "more")
            label = file_label(entry.name)
            try:
                yield from frame_files(member, label, limits, report, depth + 1)
            except RaincellError as error:
                report(error)


class _Entry(tarfile.TarInfo):
    """A header that raises an error where it is damaged; tarfile would take it for the end of the archive."""

    on_damage: Callable[[], None]
    _in_damage = False

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Entry:
        try:
            entry = super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            kind = type(error).__name__
            if kind == "TruncatedHeaderError":
                raise tarfile.ReadError("it ends within a header") from None
            if kind == "InvalidHeaderError" and not cls._in_damage:
                cls._in_damage = True
                cls.on_damage()
            raise
        cls._in_damage = False
        return entry


class _Joined:
    """A file whose first bytes were read already: those bytes, then the rest."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._rest.read(size)
        if size < 0:
            taken, self._head = self._head + self._rest.read(), b""
        else:
            taken, self._head = self._head[:size], self._head[size:]
        return taken


def _undone(file: Readable) -> tuple[bytes, Readable]:
    """The first block of the fully decompressed file, and that file from its beginning."""
    for _ in range(len(_OPENERS)):
        head = file.read(_BLOCK)
        file = _Joined(head, file)
        opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
        if opener is None:
            break
        file = opener(cast(IO[bytes], file))
    return head, file


def _is_tar(head: bytes) -> bool:
    """Whether a first block is a tar header, judged by its checksum: the oldest archives have no magic word."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _whole(file: Readable, name: str, limit: int) -> bytes:
    pieces, size = list[bytes](), 0
    while size <= limit and (piece := file.read(min(limit + 1 - size, 2**20))):
        pieces.append(piece)
        size += len(piece)
    if size > limit:
        raise _unreadable(name, f"at most {limit:,} decompressed bytes", "more")
    return b"".join(pieces)


def _unreadable(name: str, expected: str, got: str) -> UnreadableFile:
    return UnreadableFile(expected=f"{expected} in {name}", got=got[:120], remedy="fetch the file again")
