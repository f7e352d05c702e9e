"""Damage that files come with, as a hypothesis strategy: what one transfer, one editor or one attacker would do."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import NamedTuple

from hypothesis import strategies as st

HEADER_BYTES = 4096
"""Where most headers end: half of all damage goes there, since the rest of a file is mostly pixels."""

_NUMBER = re.compile(rb"\d+")
_TELLING = (0, 1, -1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 1, 2**33, 2**63 - 1, -(2**63))
"""Integers at which sizes, counts and offsets break."""


class Edit(NamedTuple):
    """One piece of damage: what is done, where (any number, taken modulo the length), and with what.

    Few numbers, of which the rest follows: hypothesis takes a millisecond to draw each.
    """

    apply: Callable[[bytes, Edit], bytes]
    place: int
    value: int

    @property
    def in_header(self) -> bool:
        """Whether it happens where the header is."""
        return self.value % 2 == 0

    @property
    def size(self) -> int:
        """Bytes concerned, mostly few."""
        return 1 + self.value % (16, 256, 100_000)[self.place % 3]

    @property
    def content(self) -> bytes:
        """One to eight bytes."""
        return self.value.to_bytes(8, "little")[: 1 + self.place % 8]

    @property
    def number(self) -> int:
        """An integer, every other time a telling one."""
        return _TELLING[self.value // 2 % len(_TELLING)] if self.place % 2 else self.value - 2**63

    def offset(self, length: int) -> int:
        """The place as an offset into `length` bytes."""
        return self.place % max(1, min(length, HEADER_BYTES) if self.in_header else length)


def damaged(data: bytes, edits: list[Edit]) -> bytes:
    """`data` after all edits, one after the other."""
    for edit in edits:
        data = edit.apply(data, edit)
    return data


def edits() -> st.SearchStrategy[list[Edit]]:
    """One to four pieces of damage."""
    edit = st.builds(
        Edit, apply=st.sampled_from(_KINDS), place=st.integers(0, 2**32 - 1), value=st.integers(0, 2**64 - 1)
    )
    return st.lists(edit, min_size=1, max_size=4)


def _flip(data: bytes, edit: Edit) -> bytes:
    at = edit.offset(len(data))
    return data[:at] + bytes(byte ^ 1 << edit.size % 8 for byte in data[at : at + 1]) + data[at + 1 :]


def _overwrite(data: bytes, edit: Edit) -> bytes:
    at = edit.offset(len(data))
    return data[:at] + edit.content + data[at + len(edit.content) :]


def _overwrite_integer(data: bytes, edit: Edit) -> bytes:
    """An integer of 1, 2, 4 or 8 bytes, little-endian, as HDF5 and .npy write sizes and addresses."""
    at, width = edit.offset(len(data)), 1 << edit.size % 4
    return data[:at] + struct.pack("<q", edit.number)[:width] + data[at + width :]


def _edit_number(data: bytes, edit: Edit) -> bytes:
    """One decimal or octal number of a text header becomes another, of the same width if it fits."""
    found = list(_NUMBER.finditer(data, 0, HEADER_BYTES))
    if not found:
        return data
    number = found[edit.place % len(found)]
    width = number.end() - number.start()
    return data[: number.start()] + str(abs(edit.number)).encode()[:width].zfill(width) + data[number.end() :]


def _insert(data: bytes, edit: Edit) -> bytes:
    at = edit.offset(len(data))
    return data[:at] + edit.content + data[at:]


def _repeat(data: bytes, edit: Edit) -> bytes:
    """A piece of the file comes twice."""
    at = edit.offset(len(data))
    return data[: at + edit.size] + data[at:]


def _move(data: bytes, edit: Edit) -> bytes:
    """A piece of the file overwrites another."""
    at, source = edit.offset(len(data)), abs(edit.number) % max(1, len(data))
    piece = data[source : source + edit.size]
    return data[:at] + piece + data[at + len(piece) :]


def _delete(data: bytes, edit: Edit) -> bytes:
    at = edit.offset(len(data))
    return data[:at] + data[at + edit.size :]


def _truncate(data: bytes, edit: Edit) -> bytes:
    return data[: edit.offset(len(data))]


def _concatenate(data: bytes, edit: Edit) -> bytes:
    """The file twice, or its beginning after it."""
    return data + (data if edit.in_header else data[: edit.size])


_KINDS = (
    _flip,
    _overwrite,
    _overwrite_integer,
    _edit_number,
    _insert,
    _repeat,
    _move,
    _delete,
    _truncate,
    _concatenate,
)
