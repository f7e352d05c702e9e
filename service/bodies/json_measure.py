"""The size of a JSON body, counted before it is parsed.

A parser makes an object of every two bytes, and an error of every one that does not fit: a body of some kilobytes,
which decodes to megabytes, could take minutes and gigabytes. Here strings are jumped over and marks are counted, in
steps, so that other threads go on, and counting ends at the first limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from radar.errors import InvalidRequest

Bytes = bytes | bytearray
STEP_BYTES = 256 * 1024
"""Looked at in one call: no other Python code runs meanwhile."""
BULK_BYTES = 64 * 1024
"""Longer text between two quotes, or without any, is read piece by piece: see service.bodies.json_frames."""
_LONGEST_ESCAPE = 256
"""Backslashes in a row; a text of 100 characters has fewer."""


@dataclass(frozen=True)
class JsonLimits:
    """What a body may hold at most.

    Parameters
    ----------
    what : str
        Which body, for the error, e.g. "1000 places".
    objects, keys, keys_each, lists, values, strings : int
        In all; `keys_each` in one object. Keys are strings, too; `values` are what commas separate.
    """

    what: str
    objects: int
    keys: int
    keys_each: int
    lists: int
    values: int
    strings: int


class Bulk(NamedTuple):
    """A long stretch of a body: after which key it comes, and its first byte and the one after its last."""

    key: bytes
    start: int
    stop: int


def measure(body: Bytes, limits: JsonLimits) -> list[Bulk]:
    """The long stretches of a body that holds no more than it may; not for the event loop.

    Raises
    ------
    InvalidRequest
        It holds more, or a string has no end.
    """
    tally, bulk = _Tally(limits), list[Bulk]()
    position, key = 0, b""
    while True:
        opening = body.find(b'"', position)
        stop = len(body) if opening < 0 else opening
        tally.add_marks(body, position, stop)
        if stop - position > BULK_BYTES:
            bulk.append(Bulk(key, position, stop))
        if opening < 0:
            return bulk
        closing = _end_of_string(body, opening + 1, tally)
        if closing - opening > BULK_BYTES:
            bulk.append(Bulk(key, opening + 1, closing))
        key = bytes(body[opening + 1 : min(closing, opening + 32)])
        position = closing + 1


class _Tally:
    """What has been counted, held against limits."""

    def __init__(self, limits: JsonLimits) -> None:
        self._limits = limits
        self._left = {
            "objects": limits.objects,
            "keys": limits.keys,
            "lists": limits.lists,
            "values": limits.values,
            "strings": limits.strings,
        }
        self._keys_each = 0

    def add(self, name: str, count: int) -> None:
        """Count; raises InvalidRequest."""
        self._left[name] -= count
        if self._left[name] < 0:
            raise self._too_much(name, getattr(self._limits, name))

    def add_marks(self, body: Bytes, start: int, stop: int) -> None:
        """Count what stands between two strings."""
        for first in range(start, stop, STEP_BYTES):
            last = min(first + STEP_BYTES, stop)
            objects, keys = body.count(b"{", first, last), body.count(b":", first, last)
            self.add("objects", objects)
            self.add("lists", body.count(b"[", first, last))
            self.add("values", body.count(b",", first, last))
            self.add("keys", keys)
            self._keys_each = keys if objects else self._keys_each + keys
            if self._keys_each > self._limits.keys_each:
                raise self._too_much("keys in one object", self._limits.keys_each)

    def _too_much(self, name: str, most: int) -> InvalidRequest:
        return InvalidRequest(
            expected=f"JSON of {self._limits.what}: at most {most} {name}",
            got="more",
            remedy="send less at a time; see docs/reference/limits.md for what JSON may hold",
        )


def _end_of_string(body: Bytes, start: int, tally: _Tally) -> int:
    """Where the string that begins at `start` has its closing quote."""
    tally.add("strings", 1)
    position = start
    while (closing := body.find(b'"', position)) >= 0:
        before = bytes(body[max(start, closing - _LONGEST_ESCAPE) : closing])
        backslashes = len(before) - len(before.rstrip(b"\\"))
        if backslashes == _LONGEST_ESCAPE:
            raise _no_string("more than 255 backslashes in a row")
        if backslashes % 2 == 0:
            return closing
        tally.add("strings", 1)  # each quote in a string costs as much as a string
        position = closing + 1
    raise _no_string("a string without an end")


def _no_string(got: str) -> InvalidRequest:
    return InvalidRequest(expected="JSON", got=got, remedy="let a JSON library write the body")
