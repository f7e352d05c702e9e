"""gzip and bzip2, undone within a bound: what is uploaded may be a bomb."""

from __future__ import annotations

import bz2
import zlib
from typing import Protocol

from radar.errors import UnreadableFile

LARGEST_FRAME_FILE = 16 * 2**20
"""Bytes, decompressed, of a file that holds one frame; the largest of DWD's has 2.7 MB."""

_MOST_MEMBERS = 32
"""Parallel bzip2 writes a member for every 900 kB; a million empty ones would take hours."""
_GZIP_MAGIC, _BZIP2_MAGIC = b"\x1f\x8b", b"BZh"


class _Decompressor(Protocol):
    """What zlib's and bz2's decompressors have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def decompressed(data: bytes, name: str, limit: int = LARGEST_FRAME_FILE) -> bytes:
    """`data` itself, or what it holds if its first bytes say gzip or bzip2.

    Parameters
    ----------
    data : bytes
    name : str
        The file's name for messages.
    limit : int
        The most bytes to return; no more than that is ever decompressed.

    Raises
    ------
    UnreadableFile
        More than `limit` bytes, a truncated or damaged stream, or bytes after its end.
    """
    if data.startswith(_GZIP_MAGIC):
        return _members(data, name, limit, "gzip")
    if data.startswith(_BZIP2_MAGIC):
        return _members(data, name, limit, "bzip2")
    if len(data) > limit:
        raise _too_large(name, limit)
    return data


def _members(data: bytes, name: str, limit: int, kind: str) -> bytes:
    """All members of a gzip or bzip2 file, one after the other (both formats allow several)."""
    magic = _GZIP_MAGIC if kind == "gzip" else _BZIP2_MAGIC
    parts: list[bytes] = []
    room = limit
    while data:
        if not data.startswith(magic) or len(parts) == _MOST_MEMBERS:
            raise _damaged(name, kind, f"{len(data):,} bytes after its end")
        part, data = _one_member(data, name, room, limit, kind)
        parts.append(part)
        room -= len(part)
    return b"".join(parts)


def _one_member(data: bytes, name: str, room: int, limit: int, kind: str) -> tuple[bytes, bytes]:
    """The first member's contents, and the bytes after it."""
    stream: _Decompressor = zlib.decompressobj(wbits=31) if kind == "gzip" else bz2.BZ2Decompressor()
    try:
        # One byte more than there is room for tells a full file from one that is too large.
        part = stream.decompress(data, room + 1)
    except (zlib.error, OSError, ValueError) as error:
        raise _damaged(name, kind, "a damaged one") from error
    if len(part) > room:
        raise _too_large(name, limit)
    if not stream.eof:
        raise _damaged(name, kind, "one that ends too early")
    return part, stream.unused_data


def _too_large(name: str, limit: int) -> UnreadableFile:
    return UnreadableFile(
        expected=f"at most {limit:,} decompressed bytes in {name}",
        got="more",
        remedy="send single radar composites",
    )


def _damaged(name: str, kind: str, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"a whole {kind} stream in {name}", got=got, remedy="fetch the file again, or send it uncompressed"
    )
