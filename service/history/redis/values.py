"""Validation of values from Redis: other programs can write there, versions differ, and disks fail."""

from __future__ import annotations

import hashlib
import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from service.damage import Damage, Kind
from service.errors import KeyOfAnotherType, StoredValueDamaged
from service.history.codec import FrameHeader, SeriesKey, StoredFrame, counts_of, read_header, series_of_header
from service.redis.client import store_errors

T = TypeVar("T")
Shape = TypeVar("Shape", bound=tuple[int, ...])

_INTEGER = re.compile(rb"-?[0-9]{1,12}")
_MOST_SOUND = 4096
"""The most digests of values that were decompressed once and need no second check."""
_sound: OrderedDict[bytes, None] = OrderedDict()


def healed(redis: Any, damage: Damage, types: Mapping[str, str], work: Callable[[], T]) -> T:  # noqa: ANN401 - untyped
    """The result of `work`; a key of another type is deleted, and the work is done once more.

    Parameters
    ----------
    redis : redis.Redis
    types : mapping of str to str
        The type of each key that the work uses: "string", "hash", "set", "zset".
    work : callable

    Raises
    ------
    StoreUnavailable, StoreFull
        As in `service.redis.client.store_errors`.
    """
    try:
        with store_errors():
            return work()
    except KeyOfAnotherType:
        with store_errors():
            for key, wanted in types.items():
                found = redis.type(key).decode()
                if found not in (wanted, "none"):
                    damage.drop("key", key, f"a {found}, not a {wanted}; deleted")
                    redis.delete(key)
            return work()


def time_of(member: bytes) -> datetime | None:
    """A time from its seconds since 1970, or None."""
    if not _INTEGER.fullmatch(member):
        return None
    try:
        return datetime.fromtimestamp(int(member), UTC)
    except (OverflowError, OSError, ValueError):
        return None


def moment_of(text: bytes) -> float | None:
    """The time of a withdrawal in seconds since 1970, or None."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None


def times_of(members: Iterable[tuple[bytes, float]], key: str, damage: Damage) -> list[datetime]:
    """The times of an index, oldest first; a member must equal its score."""
    found = []
    for member, score in members:
        time = time_of(member)
        if time is None or time.timestamp() != score:
            damage.drop("time", f"{_text(member)} in {key}", "no seconds since 1970 that its score repeats")
        else:
            found.append(time)
    return found


def series_of_member(member: bytes, key: str, kind: Kind, damage: Damage) -> SeriesKey | None:
    """A series from "product|grid", or None."""
    product, bar, grid = _text(member).partition("|")
    if bar and product and grid and f"{product}{grid}".isprintable():
        return SeriesKey(product, grid)
    damage.drop(kind, f"{_text(member)} in {key}", "not a product, | and a grid")
    return None


def frame_of(
    header: bytes, data: bytes, name: str, kind: Kind, damage: Damage, fits: Callable[[StoredFrame], bool]
) -> StoredFrame | None:
    """A frame that can be decoded and that `fits` its key, or None."""
    try:
        frame = StoredFrame(read_header(header), data)
        if not fits(frame):
            raise StoredValueDamaged(expected="the frame that its key names", got="another one", remedy="")
        _check_data(frame)
    except StoredValueDamaged as error:
        damage.drop(kind, name, error.got)
        return None
    return frame


def header_of(text: bytes, name: str, series: SeriesKey, time: datetime, damage: Damage) -> FrameHeader | None:
    """The header of the frame of a series and time, or None."""
    header = read_or_none(lambda: read_header(text), "frame", name, damage)
    if header and (series_of_header(header) != series or header.valid_time != time):
        damage.drop("frame", name, "the header of another frame")
        return None
    return header


def _check_data(frame: StoredFrame) -> None:
    """Raise StoredValueDamaged unless the data has the pixels of its grid."""
    checked_once(frame.data, frame.header.grid.shape, lambda _, __: counts_of(frame))


def checked_once(data: bytes, shape: Shape, check: Callable[[bytes, Shape], object]) -> None:
    """Raise the StoredValueDamaged of `check` for data of that shape, unless the same has passed it lately.

    Checking decompresses, and so does the reader of the data afterwards.
    """
    digest = hashlib.blake2b(data, digest_size=16, key=repr(shape).encode()).digest()
    if digest in _sound:
        return
    check(data, shape)
    _sound[digest] = None
    while len(_sound) > _MOST_SOUND:
        try:
            _sound.popitem(last=False)
        except KeyError:  # another thread was quicker
            return


def read_or_none(read: Callable[[], T], kind: Kind, name: str, damage: Damage) -> T | None:
    """The result of `read`, or None if the value is damaged."""
    try:
        return read()
    except StoredValueDamaged as error:
        damage.drop(kind, name, error.got)
        return None


def _text(member: bytes) -> str:
    return member.decode(errors="backslashreplace")
