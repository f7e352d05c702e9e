"""Radar files that an operator has on a disk of his own: archives of any size and depth, read as a stream.

A month of RADKLIM comes as a tar file of tar.gz files, one for each day with 288 frames. Nothing is unpacked to a disk,
and one frame is in memory at a time. Uploads are read by `radar.tar`, which takes much less.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from radar.compression import beginning, is_compressed
from radar.errors import RaincellError, UnreadableFile
from radar.files import iter_frames
from radar.frame import Frame, file_label
from radar.limits import OWN
from radar.rv import of_run
from radar.tar import is_tar

_DEEPEST = 4
"""Archives within archives: a tar of years, of months, of days."""
_LARGEST_INNER_BYTES = 2**30
"""Of a compressed archive within an archive, which is held in memory."""

Problem = Callable[[RaincellError], None]


def own_frames(path: Path, problem: Problem | None = None) -> Iterator[Frame]:
    """The frames of a file, or of an archive and all archives in it, one by one.

    Parameters
    ----------
    path : Path
        RADOLAN, ODIM HDF5, or a tar archive: plain, gzip, bzip2 or xz.
    problem : callable or None
        Is told of each bad file in an archive, after which the next one is read; None raises at the first.

    Raises
    ------
    UnreadableFile
        The file, or the archive as such, cannot be read.
    OSError
        The disk, not the file.
    """
    label = file_label(path.name)
    with path.open("rb") as file:
        head = file.read(2**20)
        file.seek(0)
        if _begins_archive(head, label):
            yield from _archive(file, label, problem or _raise, 1)
        else:
            content = file.read(OWN.frame_bytes + 1)
            yield from iter_frames(content, label, limits=OWN)


def _raise(error: RaincellError) -> None:
    raise error


def _begins_archive(head: bytes, label: str) -> bool:
    """Whether the first bytes, which may be cut anywhere, are those of a tar archive."""
    if head.startswith(b"\xfd7zXZ\x00"):
        return True  # xz is only ever read as an archive
    try:
        return is_tar(beginning(head, label, 512))
    except UnreadableFile:  # cut short, or damaged: whoever reads it whole says what is wrong
        return False


def _archive(stream: IO[bytes], label: str, problem: Problem, depth: int) -> Iterator[Frame]:
    """The frames of one archive; Python's reader knows long names and extended headers, which operators' files have."""
    try:
        with tarfile.open(fileobj=stream, mode="r|*") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield from _member(content, member.size, file_label(member.name), problem, depth)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UnreadableFile(
            expected=f"a whole tar archive {label}", got=f"a damaged one ({error})"[:120], remedy="fetch it again"
        ) from None


def _member(content: Any, size: int, label: str, problem: Problem, depth: int) -> Iterator[Frame]:  # noqa: ANN401  tarfile's own stream
    try:
        if is_tar(content.peek(512)):
            yield from _inner(content, label, problem, depth)
            return
        data = content.read(_LARGEST_INNER_BYTES + 1)
        if is_compressed(data) and is_tar(beginning(data, label, 512)):
            if size > _LARGEST_INNER_BYTES:
                raise UnreadableFile(
                    expected=f"at most {_LARGEST_INNER_BYTES:,} bytes of a compressed archive in an archive, {label}",
                    got=f"{size:,}",
                    remedy="take it out of the archive around it",
                )
            yield from _inner(io.BytesIO(data), label, problem, depth)
            return
        for frame in iter_frames(data, label, limits=OWN):
            yield of_run(frame)
    except RaincellError as error:
        problem(error)


def _inner(stream: IO[bytes], label: str, problem: Problem, depth: int) -> Iterator[Frame]:
    if depth == _DEEPEST:
        raise UnreadableFile(
            expected=f"archives in archives, {_DEEPEST} deep at most", got=f"{label} below these", remedy="unpack it"
        )
    yield from _archive(stream, label, problem, depth + 1)
