"""The ASCII header of RADOLAN binary composites, strictly parsed.

Format: DWD, "RADOLAN/RADVOR: hoch aufgeloeste Niederschlagsanalyse und -vorhersage", Kompositformat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from radar.errors import UnreadableFile
from radar.grid import KNOWN_GRIDS, Grid

_LONGEST_HEADER = 2048
_START = re.compile(rb"([A-Z%][A-Z0-9])(\d{2})(\d{2})(\d{2})\d{5}(\d{2})(\d{2})(?=BY)")


@dataclass(frozen=True)
class Header:
    """The content of a RADOLAN header.

    `file_bytes` includes the header. `time` is UTC: of observations the end of the interval, of forecasts the time
    at which they were made. `lead_minutes` is None where the header has no lead time.
    """

    product: str
    time: datetime
    file_bytes: int
    version: int
    precision: int
    interval_minutes: int
    shape: tuple[int, int]
    lead_minutes: int | None
    body_offset: int


def is_radolan(data: bytes) -> bool:
    """Whether the first bytes are those of a RADOLAN header."""
    return _START.match(data) is not None


def product_in(data: bytes, name: str) -> str:
    """The product of a file, without a check of the rest; raises UnreadableFile for bytes other than RADOLAN."""
    start = _START.match(data)
    if start is None:
        raise unreadable(name, "a RADOLAN header", "none")
    return start[1].decode("ascii")


def parse_header(data: bytes, name: str) -> Header:
    """Parse and check the header by its tags, whose widths and order vary between versions.

    Raises
    ------
    UnreadableFile
        A tag is missing, doubled or out of range, or the body's length differs from the header's.
    """
    end = data.find(b"\x03", 0, _LONGEST_HEADER)
    start = _START.match(data)
    if start is None or end < 0:
        raise unreadable(name, "a RADOLAN header of at most 2,048 bytes", "none" if start is None else "no end of it")
    product = start[1].decode("ascii")
    # The list of radars after MS is free text and contains no tags.
    tags = data[start.end() : end].split(b"MS", 1)[0]
    sign, digits = _tag(tags, rb"PR\s*E([+-])(\d\d)", name, "PR")
    rows, columns = _tag(tags, rb"GP\s*(\d{1,4})\s*x\s*(\d{1,4})", name, "GP")
    interval, unit = _tag(tags, rb"INT\s*(\d{1,4})(U\d)?", name, "INT")
    header = Header(
        product=product,
        time=_time(start, name),
        file_bytes=int(_tag(tags, rb"BY\s*(\d{1,10})", name, "BY")[0]),
        version=int(_tag(tags, rb"VS\s*(\d{1,2})", name, "VS")[0]),
        precision=int(sign + digits),
        interval_minutes=int(interval) * (1440 if unit == b"U1" else 1),
        shape=(int(rows), int(columns)),
        lead_minutes=_lead_minutes(tags, name),
        body_offset=end + 1,
    )
    _check_length(header, len(data), name)
    return header


def _tag(tags: bytes, pattern: bytes, name: str, tag: str) -> tuple[bytes, ...]:
    found = list(re.finditer(pattern, tags))
    if len(found) != 1:
        raise unreadable(name, f"one {tag} field in the header", f"{len(found)}")
    return found[0].groups()


def _lead_minutes(tags: bytes, name: str) -> int | None:
    return int(_tag(tags, rb"VV\s*(\d{1,3})", name, "VV")[0]) if b"VV" in tags else None


def _time(start: re.Match[bytes], name: str) -> datetime:
    day, hour, minute, month, year = (int(part) for part in start.groups()[1:])
    try:
        return datetime(2000 + year, month, day, hour, minute, tzinfo=UTC)
    except ValueError:
        raise unreadable(name, "a time in the header", f"{start[0].decode()!r}") from None


def _check_length(header: Header, length: int, name: str) -> None:
    if header.file_bytes != length:
        raise unreadable(name, f"the {header.file_bytes:,} bytes that its header states", f"{length:,}")


def grid_of(header: Header, pixel_bytes: int, name: str) -> Grid:
    """The grid for a shape and format version: since version 5 DWD's earth is the WGS84 ellipsoid.

    Raises
    ------
    UnreadableFile
        No grid of that shape is known, or the body does not have `pixel_bytes` bytes for each pixel.
    """
    by_shape = {
        (900, 900): "radolan" if header.version < 5 else "radolan-wgs84",
        (1100, 900): "radklim",
        (1200, 1100): "de1200",
        (1500, 1400): "radolan-europe",
    }
    rows, columns = header.shape
    if header.shape not in by_shape:
        *most, last = (f"{r}x{c}" for r, c in by_shape)
        raise unreadable(name, f"{', '.join(most)} or {last} pixels", f"{rows}x{columns}")
    body = header.file_bytes - header.body_offset
    if body != pixel_bytes * rows * columns:
        wanted = f"{pixel_bytes * rows * columns:,} bytes for {rows}x{columns} pixels"
        raise unreadable(name, wanted, f"{body:,}")
    return KNOWN_GRIDS[by_shape[header.shape]]


def unreadable(name: str, expected: str, got: str) -> UnreadableFile:
    """The error for a file that differs from what DWD writes."""
    return UnreadableFile(expected=f"{expected} in {name}", got=got, remedy="send the file as DWD publishes it")
