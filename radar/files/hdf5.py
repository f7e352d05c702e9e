"""HDF5 from untrusted sources: the structure of a file is checked before any of its content is read.

The HDF5 library follows links to other files, loads filter plug-ins and inflates a chunk to any size. Here a file is an
image in memory with hard links only, and its chunks are inflated outside the library.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from radar.errors import RaincellError, UnreadableFile
from radar.files.limits import LARGEST_FRAME_PIXELS

_MAGIC = b"\x89HDF\r\n\x1a\n"
_MOST_LINKS = 500
_MOST_CHUNKS = 10_000
_LARGEST_ATTRIBUTE = 4096
_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3
_CHECKSUM_BYTES = 4


def is_hdf5(data: bytes) -> bool:
    """Whether the first bytes are those of an HDF5 file."""
    return data.startswith(_MAGIC)


@contextmanager
def opened(data: bytes, name: str) -> Iterator[h5py.File]:
    """An HDF5 file of hard links only, read from memory.

    Raises
    ------
    UnreadableFile
        The file is damaged or has links to other places. Any failure inside the `with` block is reported as this error
        too, since damage may lie anywhere.
    """
    try:
        file = h5py.File.in_memory(data)
    except Exception:
        raise _unreadable(name, "a sound HDF5 file", "a damaged one, which does not open") from None
    try:
        with file:
            _check_links(file, name)
            yield file
    except RaincellError:
        raise
    except MemoryError:
        raise _unreadable(name, "a sound HDF5 file", "one that asks for too much memory") from None
    except Exception as error:  # h5py raises nearly every type there is on damaged bytes
        got = f"one with parts that cannot be read ({type(error).__name__})"
        raise _unreadable(name, "a sound HDF5 file", got) from None


def _check_links(file: h5py.File, name: str) -> None:
    seen = 0

    def offending(_path: str, link: object) -> str | None:
        nonlocal seen
        seen += 1
        if seen > _MOST_LINKS:
            return f"more than {_MOST_LINKS} objects"
        return None if isinstance(link, h5py.HardLink) else "a soft or external link"

    problem = file.visititems_links(offending)
    if problem is not None:
        raise _unreadable(name, "a file of plain groups and data sets", str(problem))


class Attributes:
    """Attributes of an object that may also stand in the objects above it; for each attribute the nearest one counts.

    Parameters
    ----------
    file : h5py.File
    paths : sequence of str
        Groups, the nearest first, e.g. "dataset1/data1/what". Groups that do not exist have no attributes.
    name : str
        The file's name for messages.
    """

    def __init__(self, file: h5py.File, paths: Sequence[str], name: str) -> None:
        self._paths, self._name = paths, name
        found = (file.get(path) for path in paths)
        self._groups = [group for group in found if isinstance(group, h5py.Group)]

    def text(self, attribute: str, default: str | None = None) -> str:
        """A string without surrounding blanks and zero bytes; raises UnreadableFile if missing without a default."""
        value = self._scalar(attribute, default)
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        return text.strip(" \0\t\r\n")

    def number(self, attribute: str, *, finite: bool = True) -> float:
        """A number; raises UnreadableFile if it is missing, or if it is not finite and `finite` is set."""
        value = self._scalar(attribute, None)
        try:
            number = float(value)
        except (ValueError, TypeError, OverflowError):
            number, finite = math.nan, True
        if finite and not math.isfinite(number):
            raise _unreadable(self._name, f"a finite number as attribute {attribute}", str(value)[:40])
        return number

    def _scalar(self, attribute: str, default: str | None) -> Any:  # noqa: ANN401  text or a number, as the file has it
        for group in self._groups:
            if attribute in group.attrs:
                return _scalar(group, attribute, self._name)
        if default is None:
            above = f" or above it ({', '.join(self._paths[1:])})" if len(self._paths) > 1 else ""
            got = f"no attribute {attribute} in {self._paths[0]}{above}"
            raise _unreadable(self._name, f"attribute {attribute}", got)
        return default


def _scalar(group: h5py.Group, attribute: str, name: str) -> Any:  # noqa: ANN401  text or a number, as the file has it
    described = group.attrs.get_id(attribute)
    plain = described.dtype.kind in "biufS" or h5py.check_string_dtype(described.dtype) is not None
    if not plain or math.prod(described.shape) != 1 or described.get_storage_size() > _LARGEST_ATTRIBUTE:
        got = f"an array of {'x'.join(map(str, described.shape))}" if described.shape else "something else"
        raise _unreadable(name, f"a number or a short text as attribute {attribute}", got)
    return np.asarray(group.attrs[attribute]).reshape(-1)[0]


def array(group: h5py.Group, dataset_name: str, shape: tuple[int, int], name: str) -> npt.NDArray[Any]:
    """A two-dimensional numeric data set of the expected shape, stored whole in the file.

    Raises
    ------
    UnreadableFile
        The data set has another shape, too many pixels, objects instead of numbers, storage outside the file, virtual
        sources, filters other than deflate, shuffle and checksums, a wrong checksum, or missing or oversized chunks.
    """
    dataset = group.get(dataset_name)
    if not isinstance(dataset, h5py.Dataset):
        got = "no such data set" if dataset is None else "something else"
        raise _unreadable(name, f"a data set of pixels {group.name[1:]}/{dataset_name}", got)
    _check_dataset(dataset, shape, name)
    if dataset.chunks is None:
        return np.asarray(dataset[()])
    return _from_chunks(dataset, name)


def _check_dataset(dataset: h5py.Dataset, shape: tuple[int, int], name: str) -> None:
    if dataset.is_virtual or dataset.external:
        raise _unreadable(name, "pixels stored in the file itself", "pixels stored elsewhere")
    if dataset.shape != shape or math.prod(shape) > LARGEST_FRAME_PIXELS:
        got = "x".join(str(n) for n in dataset.shape or ())
        raise _unreadable(name, f"{shape[0]}x{shape[1]} pixels, {LARGEST_FRAME_PIXELS:,} at most", got or "none")
    if dataset.dtype.kind not in "iuf" or dataset.dtype.itemsize > 8:
        raise _unreadable(name, "pixels that are numbers", str(dataset.dtype)[:40])
    if dataset.chunks is None and dataset.id.get_storage_size() != dataset.nbytes:
        raise _unreadable(name, f"{dataset.nbytes:,} bytes of pixels", f"{dataset.id.get_storage_size():,}")
    filters = [filter_code for filter_code, _flags in _filters(dataset)]
    if any(code not in (_DEFLATE, _SHUFFLE, _FLETCHER32) for code in filters):
        raise _unreadable(name, "pixels compressed by deflate", f"HDF5 filters {filters}")


def _filters(dataset: h5py.Dataset) -> list[tuple[int, int]]:
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(k)[:2] for k in range(min(plist.get_nfilters(), 32))]


def _from_chunks(dataset: h5py.Dataset, name: str) -> npt.NDArray[Any]:
    """The data set from its chunks; each chunk must exist and decompress to exactly its own size."""
    chunk, shape = dataset.chunks, dataset.shape
    expected = math.prod(-(-size // edge) for size, edge in zip(shape, chunk, strict=True))
    chunk_bytes = math.prod(chunk) * dataset.dtype.itemsize
    if expected > _MOST_CHUNKS or math.prod(chunk) > LARGEST_FRAME_PIXELS:
        raise _unreadable(name, f"at most {_MOST_CHUNKS:,} chunks of pixels", f"{expected:,} of {chunk_bytes:,} bytes")
    if dataset.id.get_num_chunks() != expected:
        raise _unreadable(name, f"{expected} chunks of pixels", f"{dataset.id.get_num_chunks()}")
    pixels = np.empty(shape, dataset.dtype)
    for index in range(expected):
        found = dataset.id.get_chunk_info(index)
        if found.size > 2 * chunk_bytes + 1024:
            raise _unreadable(name, f"chunks of {chunk_bytes:,} bytes", f"{found.size:,} compressed")
        mask, raw = dataset.id.read_direct_chunk(found.chunk_offset)
        block = np.frombuffer(_unfiltered(raw, mask, dataset, chunk_bytes, name), dataset.dtype).reshape(chunk)
        row, column = found.chunk_offset
        place = pixels[row : row + chunk[0], column : column + chunk[1]]
        place[...] = block[: place.shape[0], : place.shape[1]]
    return pixels


def _unfiltered(raw: bytes, mask: int, dataset: h5py.Dataset, size: int, name: str) -> bytes:
    """One chunk's bytes without the filters, which are undone in reverse order; a bit of `mask` skips a filter."""
    applied = [code for index, (code, _flags) in enumerate(_filters(dataset)) if not mask >> index & 1]
    for index, code in reversed(list(enumerate(applied))):
        if code == _DEFLATE:
            raw = _inflated(raw, size + _CHECKSUM_BYTES * applied[:index].count(_FLETCHER32), name)
        elif code == _FLETCHER32:
            raw = _checked(raw, name)
        else:
            raw = _unshuffled(raw, dataset.dtype.itemsize)
    if len(raw) != size:
        raise _unreadable(name, f"chunks of {size:,} bytes", f"{len(raw):,}")
    return raw


def _checked(raw: bytes, name: str) -> bytes:
    """The bytes in front of their Fletcher checksum, which must match."""
    content, stored = raw[:-_CHECKSUM_BYTES], int.from_bytes(raw[-_CHECKSUM_BYTES:], "little")
    expected, got = ((value >> 16) % 65535 << 16 | (value & 65535) % 65535 for value in (stored, fletcher32(content)))
    if len(raw) < _CHECKSUM_BYTES or expected != got:
        raise _unreadable(name, "pixels that fit their checksum", "others: the file is damaged")
    return content


def fletcher32(content: bytes) -> int:
    """HDF5's checksum: sums of big-endian 16-bit words and of these sums, modulo 65535, in one number."""
    words = np.frombuffer(content + b"\0" * (len(content) % 2), ">u2").astype(np.uint64)
    # Blocks keep the products of the second sum within 64 bits.
    first = second = 0
    for start in range(0, len(words), 2**20):
        block = words[start : start + 2**20]
        second += len(block) * first + int((block * np.arange(len(block), 0, -1, dtype=np.uint64)).sum())
        first += int(block.sum())
    return second % 65535 << 16 | first % 65535


def _inflated(raw: bytes, size: int, name: str) -> bytes:
    stream = zlib.decompressobj()
    inflated = stream.decompress(raw, size + 1)
    if len(inflated) > size or not stream.eof:
        raise _unreadable(name, f"chunks of {size:,} bytes", "more, or a stream that ends too early")
    return inflated


def _unshuffled(raw: bytes, itemsize: int) -> bytes:
    return np.frombuffer(raw, np.uint8).reshape(itemsize, -1).T.tobytes()


def _unreadable(name: str, expected: str, got: str) -> UnreadableFile:
    return UnreadableFile(
        expected=f"{expected} in {name}", got=got, remedy="send an ODIM HDF5 composite as DWD publishes it"
    )
