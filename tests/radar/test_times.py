"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from radar.errors import InvalidRequest
from radar.times import parse_time

NOON = datetime(2024, 6, 1, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-06-01T12:05:00Z",
        "2024-06-01t12:05z",
        "2024-06-01 12:05",
        "2024-06-01T12:05:00.999999Z",
        "2024-06-01T14:05:00+02:00",
        "2024-06-01T14:05:00+0200",
        "2024-06-01T14:05+02",
        "2024-06-01T06:35:00-05:30",
        "2024-06-02T02:05:00+14:00",
        "202406011205",
        "20240601120500",
        "20240601_1205",
        "20240601T120500Z",
        "20240601T1405+0200",
        # What a query makes of + that was not written as %2B.
        "2024-06-01T14:05:00 02:00",
        "2024-06-01 14:05 02:00",
        "202406011405 0200",
    ],
)
def test_a_time_is_read_as_meant(text: str) -> None:
    assert parse_time(text) == NOON


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1717243500", "seconds since 1970"),
        ("1717243500.0", "seconds since 1970"),
        ("1717243500000", "YYYYMMDDHHMM"),
        ("2406011205", "YYYYMMDDHHMM"),
        ("2024060112", "YYYYMMDDHHMM"),
        ("20240601", "YYYYMMDDHHMM"),
        ("0", "YYYYMMDDHHMM"),
        (1717243500, "send a text"),
        (1717243500.5, "send a text"),
        (True, "send a text"),
        (None, "send a text"),
        ("-1717243500", "date, hour and minute"),
        ("1.7e9", "date, hour and minute"),
        ("2024-06-01", "date, hour and minute"),
        ("2024-06-01T12", "date, hour and minute"),
        ("12:05", "date, hour and minute"),
        ("PT5M", "date, hour and minute"),
        ("2024-W22-6T12:05", "date, hour and minute"),
        ("٢٠٢٤-٠٦-٠١T١٢:٠٥", "date, hour and minute"),
        ("2024-06-01T12:05:00Z\n", "date, hour and minute"),
        ("", "date, hour and minute"),
        ("yesterday", "date, hour and minute"),
        ("2024-06-01T12:05:00 CET", "%2B"),
        ("2024-06-01T12:05:00 2", "%2B"),
        ("2024-06-01T12:05:00+15:00", "+14:00"),
        ("2024-06-01T12:05:00+01:60", "+14:00"),
        ("2024-06-30T23:59:60Z", "leap second"),
        ("2024-06-01T24:00:00Z", "hour"),
        ("2023-02-29T12:05Z", "day"),
        ("202413010000", "month"),
        ("0000-01-01T00:00Z", "year"),
        ("0001-01-01T00:00+14:00", "from 1950"),
        ("1949-12-31T23:59:59Z", "from 1950"),
        ("9999-12-31T23:59:00-14:00", "from 1950"),
        ("240601120500", "from 1950"),
        ("2024-06-01T12:05" + "0" * 10**6, "date, hour and minute"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: object, told: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_time(text)
    assert told in refused.value.remedy
    assert "2024-06-01T12:05:00Z" in refused.value.expected
    assert len(str(refused.value)) < 400
