"""tar archives from untrusted sources: regular files at the top, read one at a time and never unpacked to a disk.

Python's tarfile also follows links, long names and sparse maps. Radar archives have none of these, and each has been a
security hole, so this reader accepts plain POSIX headers only. Format: POSIX.1-1988, ustar.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from radar.errors import UnreadableFile
from radar.files.compression import is_compressed, pieces
from radar.files.limits import UPLOADED, Limits

_BLOCK = 512
_LARGEST_EXTENSION = 16 * 1024
_LONGEST_PADDING = 2**20
"""Archives are padded to whole records; tape drives had records of up to a megabyte."""
_REGULAR, _EXTENSIONS = (b"0", b"\0"), (b"x", b"g")


def is_tar(beginning: bytes) -> bool:
    """Whether the first 512 bytes are the header of a tar member."""
    return len(beginning) >= _BLOCK and beginning[257:262] == b"ustar"


def members(data: bytes, name: str, limits: Limits = UPLOADED) -> Iterator[tuple[str, bytes]]:
    """The files of a tar archive (plain, gzip or bzip2) one by one, as (name, contents), in the archive's order.

    Parameters
    ----------
    data : bytes
    name : str
        The archive's name for messages.
    limits : Limits
        The most files, and the most decompressed bytes.

    Raises
    ------
    UnreadableFile
        The archive is damaged, exceeds the limits, or has links, devices, folders, absolute or parent paths, or the
        same name twice.
    """
    limit, most = limits.archive_bytes, limits.archive_files
    if not is_compressed(data) and len(data) > limit:
        raise _unreadable(name, f"at most {limit:,} bytes", f"{len(data):,}")
    reader = _Reader(pieces(data, name, limit) if is_compressed(data) else _slices(data))
    seen: set[str] = set()
    extensions = 0
    while any(header := reader.read(_BLOCK)):
        size, kind = _checked(header, name, limits.frame_bytes)
        contents = reader.read(-(-size // _BLOCK) * _BLOCK)
        if len(contents) < size:
            raise _unreadable(name, "a whole archive", "one that ends too early")
        if kind in _EXTENSIONS:
            extensions += 1
            if extensions > 2 * most:
                raise _unreadable(name, f"at most {2 * most} extended headers", "more")
            continue
        path = _safe_path(header, name)
        if path in seen or len(seen) == most:
            got = f"{path!r} twice" if path in seen else "more"
            raise _unreadable(name, f"at most {most} files of different names", got)
        seen.add(path)
        yield path, contents[:size]
    if reader.drain(_LONGEST_PADDING) > _LONGEST_PADDING:
        raise _unreadable(name, f"at most {_LONGEST_PADDING:,} bytes after the last file", "more")


class _Reader:
    """Reads exact numbers of bytes from pieces of any size."""

    def __init__(self, source: Iterable[bytes]) -> None:
        self._source = iter(source)
        self._left = bytearray()

    def read(self, count: int) -> bytes:
        """Return `count` bytes, fewer at the end."""
        while len(self._left) < count and (piece := next(self._source, None)) is not None:
            self._left += piece
        taken = bytes(self._left[:count])
        del self._left[:count]
        return taken

    def drain(self, limit: int) -> int:
        """Read to the end, which finds damage after the last member, or just beyond `limit` bytes; return the count."""
        count = len(self._left)
        for piece in self._source:
            count += len(piece)
            if count > limit:
                break
        return count


def _slices(data: bytes) -> Iterator[bytes]:
    return (data[start : start + 2**18] for start in range(0, len(data), 2**18))


def _checked(header: bytes, name: str, largest_file: int) -> tuple[int, bytes]:
    """Size and type of a member; raises UnreadableFile for a damaged header or an unsupported kind."""
    if not is_tar(header) or _octal(header[148:156]) != sum(header[:148]) + 8 * 0x20 + sum(header[156:]):
        raise _unreadable(name, "a sound tar archive", "a damaged one")
    size, kind = _octal(header[124:136]), header[156:157]
    if kind not in _REGULAR + _EXTENSIONS:
        raise _unreadable(name, "regular files only", "a link, a folder or something else")
    largest = largest_file if kind in _REGULAR else _LARGEST_EXTENSION
    if not 0 <= size <= largest:
        raise _unreadable(name, f"files of at most {largest:,} bytes", f"{size:,}")
    return size, kind


def _octal(field: bytes) -> int:
    """An octal number in a header; -1 if the field does not hold one."""
    digits = field.strip(b" \0")
    return int(digits, 8) if digits and not digits.strip(b"01234567") else -1


def _safe_path(header: bytes, name: str) -> str:
    prefix, base = (field.split(b"\0", 1)[0].decode("ascii", "replace") for field in (header[345:500], header[:100]))
    # GNU's header keeps times where POSIX has the prefix.
    path = f"{prefix}/{base}" if prefix and header[257:263] == b"ustar\0" else base
    parts = path.removeprefix("./").replace("\\", "/").split("/")
    if not path or path.startswith("/") or ".." in parts or "" in parts or ":" in parts[0]:
        raise _unreadable(name, "relative names of files", "an absolute, parent or empty path")
    return path


def _unreadable(name: str, expected: str, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"{expected} in {name}", got=got[:120], remedy="send the archive as DWD publishes it, or its files"
    )
