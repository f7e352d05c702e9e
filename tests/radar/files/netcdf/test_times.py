from __future__ import annotations

from datetime import UTC, datetime, timedelta

import cftime
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radar.files.netcdf.times import NotRead, cf_times

NOON = datetime(2024, 6, 1, 12, 5, tzinfo=UTC)
FRAMES = [NOON + timedelta(minutes=5 * k) for k in range(4)]
SECONDS = np.array([time.timestamp() for time in FRAMES])
DAY = datetime(2024, 6, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("units", "values"),
    [
        ("seconds since 1970-01-01T00:00:00Z", SECONDS),
        ("seconds since 1970-01-01 01:00:00 +01:00", SECONDS),
        ("seconds since 1969-12-31 19:00 -0500", SECONDS),
        ("Seconds since 1970-01-01 00:00:00 UTC", SECONDS),
        ("milliseconds since 1970-1-1", SECONDS * 1000),
        ("nanoseconds since 1970-01-01", SECONDS * 1e9),
        ("minutes since 2024-06-01 00:00", (SECONDS - DAY) / 60),
        ("hours since 2024-06-01 00:00:0.0", (SECONDS - DAY) / 3600),
        ("hours since 1900-01-01 00:00:0.0", (SECONDS + 2208988800) / 3600),
        ("days since 1900-01-01", (SECONDS + 2208988800) / 86400),
        ("d since 0001-01-01", SECONDS / 86400 + 719164),  # two days more than proleptic: Julian until 1582
    ],
)
def test_units_epochs_and_zones_of_other_writers(units: str, values: np.ndarray) -> None:
    assert cf_times(values, units, "standard") == FRAMES


@given(
    epoch=st.datetimes(datetime(1, 1, 1), datetime(2100, 1, 1)),
    calendar=st.sampled_from(["standard", "gregorian", "proleptic_gregorian"]),
    unit=st.sampled_from(["days", "hours", "minutes", "seconds"]),
    days=st.integers(0, 40_000),
)
@settings(max_examples=60, deadline=None)
def test_any_epoch_is_as_cftime_has_it(epoch: datetime, calendar: str, unit: str, days: int) -> None:
    if calendar != "proleptic_gregorian" and datetime(1582, 10, 5) <= epoch < datetime(1582, 10, 15):
        return  # no such days
    per_day = {"days": 1, "hours": 24, "minutes": 1440, "seconds": 86400}[unit]
    units = f"{unit} since {epoch:%Y-%m-%d %H:%M:%S}".replace("since ", f"since {'0' * (4 - len(f'{epoch:%Y}'))}")
    (ours,) = cf_times(np.array([days * per_day], np.float64), units, calendar)
    theirs = cftime.num2date(days * per_day, units, calendar, only_use_cftime_datetimes=True)
    epoch_1970 = cftime.datetime(1970, 1, 1, calendar=theirs.calendar)
    assert ours == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round((theirs - epoch_1970).total_seconds()))


def test_times_are_rounded_to_the_second() -> None:
    assert cf_times(np.array([299.6, 300.4]), "seconds since 2024-06-01 12:00:00", "standard") == [NOON, NOON]


def test_float32_that_cannot_tell_the_time_is_refused() -> None:
    hours = ((SECONDS - DAY) / 3600).astype(np.float32)
    fine = float(np.spacing(hours.max()))
    assert cf_times(hours.astype(np.float64), "hours since 2024-06-01", "standard", fine) == FRAMES
    days = ((SECONDS + 2208988800) / 86400).astype(np.float32)
    with pytest.raises(NotRead, match="in steps of 338 s"):
        cf_times(days.astype(np.float64), "days since 1900-01-01", "standard", float(np.spacing(days.max())))
    whole = np.array([DAY + 2208988800]) / 3600
    coarse = float(np.spacing(np.float32(whole[0])))
    assert cf_times(whole, "hours since 1900-01-01", "standard", coarse) == [datetime(2024, 6, 1, tzinfo=UTC)]


@pytest.mark.parametrize("calendar", ["noleap", "365_day", "360_day", "julian", "all_leap", "none", "tai"])
def test_calendars_in_which_radars_do_not_look_are_refused_by_name(calendar: str) -> None:
    with pytest.raises(NotRead, match=f"got calendar '{calendar}'"):
        cf_times(SECONDS, "seconds since 1970-01-01", calendar)


@pytest.mark.parametrize(
    "units",
    [
        "months since 2000-01-01",
        "years since 2000-01-01",
        "day as %Y%m%d.%f",
        "days since 2000-02-30",
        "days since 1582-10-10",
        "days since -4712-01-01",
        "hours since 2024-06-01 3",  # the hour, says one; the time zone, another
        "hours since yesterday",
        "seconds",
        "",
    ],
)
def test_what_is_no_unit_of_time_is_refused(units: str) -> None:
    with pytest.raises(NotRead, match=r"units? ''|" + "'" + units.replace("%", ".").replace("+", ".")):
        cf_times(SECONDS, units, "standard")


def test_missing_and_absurd_times_are_refused() -> None:
    with pytest.raises(NotRead, match="no time for frame 2 of 3"):
        cf_times(np.array([0, np.nan, 2]), "days since 2000-01-01", "standard")
    with pytest.raises(NotRead, match="between the years 1 and 9999"):
        cf_times(np.array([1e12]), "days since 2000-01-01", "standard")
