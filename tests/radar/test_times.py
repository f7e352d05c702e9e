"""Times as people write them, which follow each other, and which are missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from radar.errors import InvalidRequest
from radar.times import gaps, parse_time, runs, runs_of

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


FIVE = timedelta(minutes=5)


def at(*minutes: int) -> list[datetime]:
    return [NOON + timedelta(minutes=each) for each in minutes]


def test_a_run_ends_at_a_gap_at_a_shorter_step_and_when_it_is_long_enough() -> None:
    times = at(0, 5, 10, 20, 25, 27, 32)
    assert list(runs(times, FIVE)) == [at(0, 5, 10), at(20, 25), at(27, 32)]
    assert list(runs(times, FIVE, longest=2)) == [at(0, 5), at(10), at(20, 25), at(27, 32)]
    assert list(runs([], FIVE)) == []
    assert list(runs(at(0), timedelta())) == [at(0)]
    pairs = list(zip(times, "abcdefg", strict=True))
    assert ["".join(name for _, name in run) for run in runs_of(pairs, lambda pair: pair[0], FIVE)] == [
        *("abc", "de", "fg"),
    ]


def test_a_gap_is_its_first_and_last_missing_time() -> None:
    times = at(0, 5, 20, 30)
    assert gaps(times, FIVE) == [tuple(at(10, 15)), tuple(at(25, 25))]
    # Before and after, in the phase of the frames.
    assert gaps(at(0), FIVE, *at(-7, 9)) == [tuple(at(-5, -5)), tuple(at(5, 5))]
    assert gaps([], FIVE, *at(0, 10)) == [tuple(at(0, 10))]
    assert gaps([], FIVE) == gaps(at(0, 5), FIVE) == []
    # A frame out of phase ends a gap in the phase of the frame before it.
    assert gaps(at(0, 7, 12), FIVE) == [tuple(at(5, 5))]
