"""The size of a JSON body, counted before it is parsed.

A parser makes an object of every two bytes, and an error of every mismatch: a body of some kilobytes, which decodes to
megabytes, could take minutes and gigabytes. Here strings are skipped and marks are counted, in steps, so that other
threads can run, and counting ends at the first limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from radar.errors import InvalidRequest

Bytes = bytes | bytearray
STEP_BYTES = 256 * 1024
"""Bytes scanned in one call, during which no other Python code runs."""
BULK_BYTES = 64 * 1024
"""Longer text within or without quotes is parsed piece by piece: see service.bodies.json_frames."""
_LONGEST_ESCAPE = 256
"""The most consecutive backslashes; a text of 100 characters has fewer."""


@dataclass(frozen=True)
class JsonLimits:
    """The limits of a body.

    Parameters
    ----------
    what : str
        The kind of body, for the error, e.g. "1000 places".
    objects, keys, keys_each, lists, values, strings : int
        Numbers in the whole body, `keys_each` in one object. Keys also count as strings; commas separate `values`.
    """

    what: str
    objects: int
    keys: int
    keys_each: int
    lists: int
    values: int
    strings: int


class Bulk(NamedTuple):
    """A long stretch of a body: the key before it, its first byte, and the byte after its last."""

    key: bytes
    start: int
    stop: int


def measure(body: Bytes, limits: JsonLimits) -> list[Bulk]:
    """The long stretches of a body within the limits; do not call it on the event loop.

    Raises
    ------
    InvalidRequest
        The body exceeds a limit, or a string has no end.
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
    """Counts, compared with limits."""

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
        """Add to a count; raises InvalidRequest beyond its limit."""
        self._left[name] -= count
        if self._left[name] < 0:
            raise self._too_much(name, getattr(self._limits, name))

    def add_marks(self, body: Bytes, start: int, stop: int) -> None:
        """Count the marks between two strings."""
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
    """The position of the closing quote of the string that begins at `start`."""
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
