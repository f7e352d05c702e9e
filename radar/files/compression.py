"""gzip and bzip2, decompressed within a bound: an upload may be a decompression bomb."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterator
from typing import Protocol

from radar.errors import UnreadableFile
from radar.files.limits import UPLOADED

_PIECE = 2**18
_FEWEST_MEMBERS = 32
_GZIP_MAGIC, _BZIP2_MAGIC = b"\x1f\x8b", b"BZh"


class _Decompressor(Protocol):
    """The interface that zlib's and bz2's decompressors share."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def decompressed(data: bytes, name: str, limit: int = UPLOADED.frame_bytes) -> bytes:
    """`data` itself, or its decompressed content if the first bytes are those of gzip or bzip2.

    Parameters
    ----------
    data : bytes
    name : str
        The file's name for messages.
    limit : int
        The most bytes to return; no more than a piece beyond that is ever decompressed.

    Raises
    ------
    UnreadableFile
        More than `limit` bytes, a truncated or damaged stream, or bytes after its end.
    """
    if not is_compressed(data):
        if len(data) > limit:
            raise _too_large(name, limit, f"{len(data):,}")
        return data
    return b"".join(pieces(data, name, limit))


def is_compressed(data: bytes) -> bool:
    """Whether the first bytes are those of gzip or bzip2."""
    return data.startswith((_GZIP_MAGIC, _BZIP2_MAGIC))


def beginning(data: bytes, name: str, count: int) -> bytes:
    """At most the first `count` bytes that `decompressed` would return; nothing more is decompressed."""
    if not is_compressed(data):
        return data[:count]
    first = b""
    for piece in pieces(data, name, 2**40, count):
        first += piece
        if len(first) >= count:
            break
    return first[:count]


def pieces(data: bytes, name: str, limit: int, size: int = _PIECE) -> Iterator[bytes]:
    """The decompressed content in pieces of at most `size` bytes, so that a large archive is never whole in memory.

    Several members after each other are allowed, as both formats do.

    Raises
    ------
    UnreadableFile
        As `decompressed`, as soon as the fault is reached.
    """
    kind, magic = ("gzip", _GZIP_MAGIC) if data.startswith(_GZIP_MAGIC) else ("bzip2", _BZIP2_MAGIC)
    # Parallel bzip2 writes a member for every 900 kB; a million empty ones would take hours.
    members_left = max(_FEWEST_MEMBERS, min(limit, 2**30) // 400_000)
    position, room = 0, limit
    while position < len(data):
        if not data.startswith(magic, position) or members_left == 0:
            raise _damaged(name, kind, f"{len(data) - position:,} bytes after its end")
        members_left -= 1
        stream: _Decompressor = zlib.decompressobj(wbits=31) if kind == "gzip" else bz2.BZ2Decompressor()
        while not stream.eof:
            taken = data[position : position + _PIECE]
            if not taken:
                raise _damaged(name, kind, "one that ends too early")
            position += len(taken)
            for piece in _undone(stream, taken, size, name, kind):
                room -= len(piece)
                if room < 0:
                    raise _too_large(name, limit)
                yield piece
        position -= len(stream.unused_data)


def _undone(stream: _Decompressor, taken: bytes, size: int, name: str, kind: str) -> Iterator[bytes]:
    """Decompress some bytes, piece by piece, however large the result is."""
    while True:
        try:
            piece = stream.decompress(taken, size)
        except (zlib.error, OSError, ValueError) as error:
            raise _damaged(name, kind, "a damaged one") from error
        if piece:
            yield piece
        # zlib hands unconsumed input back; bz2 keeps it.
        taken = getattr(stream, "unconsumed_tail", b"")
        if stream.eof or (len(piece) < size and not taken):
            return


def _too_large(name: str, limit: int, got: str = "more") -> UnreadableFile:
    return UnreadableFile(
        expected=f"at most {limit:,} decompressed bytes in {name}",
        got=got,
        remedy="send single radar composites, RADOLAN or ODIM HDF5; other rain as application/x-npy",
    )


def _damaged(name: str, kind: str, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"a whole {kind} stream in {name}", got=got, remedy="fetch the file again, or send it uncompressed"
    )
