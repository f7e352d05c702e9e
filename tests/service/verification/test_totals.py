"""The ledger added up by hour and altogether."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radar.ledger.days import settle
from radar.ledger.ledger import PERSISTENCE, LedgerFollower, LedgerWriter, ScoreRecord
from radar.scores.sums import sums_of
from service.damage import Damage
from service.history.codec import SeriesKey
from service.verification.totals import LedgerTotals, Period, Row, hour_of

SERIES = SeriesKey("RY", "small")
MODEL = "still/1"
NOON = datetime(2017, 8, 16, 12, tzinfo=UTC)


def record(
    valid: datetime, *, lead: int = 5, model: str = MODEL, value: float = 1.0, observed: float = 0.0
) -> ScoreRecord:
    base = valid - timedelta(minutes=lead)
    seen, said, still = (np.full((2, 2), rate, np.float32) for rate in (observed, value, 3.0))
    return ScoreRecord(
        run=f"RY.small.{base:%Y%m%dT%H%MZ}.{model.replace('/', '-')}.0",
        product="RY",
        grid="small",
        reference_time=base,
        lead_minutes=lead,
        served=model,
        method="model",
        sums={model: sums_of(said, seen, 1.0), PERSISTENCE: sums_of(still, seen, 1.0)},
    )


def tally_of(folder: Path, *records: ScoreRecord) -> LedgerTotals:
    writer = LedgerWriter(folder)
    for each in records:
        writer.append(each)
    tally = LedgerTotals(folder)
    tally.refresh()
    return tally


def test_an_hour_holds_the_intervals_that_end_in_it() -> None:
    assert hour_of(NOON) == NOON - timedelta(hours=1)
    assert hour_of(NOON + timedelta(minutes=5)) == NOON


def test_periods_go_back_from_the_newest(tmp_path: Path) -> None:
    times = [NOON - timedelta(hours=hours) for hours in (0, 23, 24, 6 * 24, 7 * 24, 30 * 24)]
    tally = tally_of(tmp_path, *map(record, times))
    expected: list[tuple[Period, int]] = [("24h", 2), ("7d", 4), ("all", 6)]
    for period, frames in expected:
        assert tally.totals(SERIES, period)[Row(MODEL, 5)].sums.frames == frames
    assert tally.bounds(SERIES, "24h") == (NOON - timedelta(hours=24), NOON)
    assert tally.bounds(SERIES, "all") == (times[-1], NOON)
    assert tally.bounds(SeriesKey("YW", "small"), "all") is None
    assert tally.totals(SeriesKey("YW", "small"), "24h") == {}


def test_each_model_has_persistence_of_its_own_records(tmp_path: Path) -> None:
    tally = tally_of(
        tmp_path, record(NOON), record(NOON + timedelta(minutes=5), model="still/2"), record(NOON, lead=10)
    )
    totals = tally.totals(SERIES, "all")
    assert totals[Row(MODEL, 5)].persistence.pixels == totals[Row(MODEL, 5)].sums.pixels == 4
    assert totals[Row(PERSISTENCE, 5)].sums.pixels == 8


def test_replicas_and_restarts_count_nothing_twice(tmp_path: Path) -> None:
    tally = tally_of(tmp_path, record(NOON), record(NOON))
    LedgerWriter(tmp_path).append(record(NOON))
    tally.refresh()
    assert tally.totals(SERIES, "all")[Row(MODEL, 5)].sums.frames == 1
    assert tally.knows(record(NOON).run, 5)
    assert not tally.knows(record(NOON).run, 10)
    again = LedgerTotals(tmp_path)
    again.refresh()
    assert again.totals(SERIES, "24h")[Row(MODEL, 5)].sums.frames == 1
    assert list(again.hours(SERIES)) == [NOON - timedelta(hours=1)]


def test_settled_days_count_in_all(tmp_path: Path) -> None:
    days = [NOON - timedelta(days=40), NOON - timedelta(days=39), NOON]
    before = tally_of(tmp_path, *map(record, days))
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    assert len(settle(tmp_path, 35, NOON)) == 2
    after = tally_of(tmp_path)
    for tally in (before, after):  # one that runs on, and one that starts
        tally.refresh()
        assert tally.totals(SERIES, "all")[Row(MODEL, 5)].sums.frames == 3
        assert tally.totals(SERIES, "all")[Row(MODEL, 5)].persistence.frames == 3
        assert tally.totals(SERIES, "24h")[Row(MODEL, 5)].sums.frames == 1
        assert tally.bounds(SERIES, "all") == (days[0], NOON)


def test_a_day_that_is_settled_while_a_tally_begins_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter(tmp_path)
    for each in (record(NOON - timedelta(days=40)), record(NOON)):
        writer.append(each)
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    begin = LedgerFollower.__init__
    calls: list[object] = []

    def begin_late(follower: LedgerFollower, *rest: Any, **others: Any) -> None:
        if not calls:
            calls.append(rest)
            settle(tmp_path, 35, NOON)
        begin(follower, *rest, **others)

    monkeypatch.setattr(LedgerFollower, "__init__", begin_late)
    tally = tally_of(tmp_path)
    assert tally.totals(SERIES, "all")[Row(MODEL, 5)].sums.frames == 2


def test_damaged_totals_of_a_day_are_named_and_all_else_counts(tmp_path: Path) -> None:
    writer, counted = LedgerWriter(tmp_path), list[str]()
    for number in range(3):
        writer.append(record(NOON + timedelta(minutes=5 * number)))
    for name, content in (("20170801", "{"), ("20170802", "[" * 100_000), ("20170803", '{"v":1,"rows":[{}]}')):
        (tmp_path / f"scores-{name}.totals.json").write_text(content)
    (tmp_path / "scores-20170804.totals.json").mkdir()
    (tmp_path / "scores-20170805.totals.json").symlink_to("/dev/zero")
    (tmp_path / "scores-20170816.totals.json").write_text("{")  # of the day whose records are still there
    tally = LedgerTotals(tmp_path, Damage(counted.append))
    for _ in range(2):
        tally.refresh()
    assert tally.complete
    assert tally.knows(record(NOON + timedelta(minutes=10)).run, 5)
    assert counted == ["ledger"] * 6
