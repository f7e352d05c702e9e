"""Old days become totals, whenever the one who does it is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from radar.errors import UnreadableFile
from radar.ledger.append_log import QUIET_DAYS
from radar.ledger.days import read_day, settle, settled_days
from radar.ledger.ledger import PERSISTENCE, LedgerFollower, LedgerWriter, ScoreRecord, read_scores
from tests.radar.ledger.test_ledger import BASE, record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 24 * 60


def written(folder: Path, *days: int) -> None:
    """Records of these days after the first, in files that were left alone for long."""
    writers = [LedgerWriter(folder), LedgerWriter(folder)]
    for day in days:
        for writer in writers:
            writer.append(record(day * DAY))
            writer.append(record(day * DAY + 5))
    for path in folder.iterdir():
        os.utime(path, (0, NOW.timestamp() - 86400 * QUIET_DAYS - 1))


def test_old_days_are_added_up_and_go(tmp_path: Path) -> None:
    written(tmp_path, 0, 1, 30)
    before = read_scores(tmp_path, until=BASE + timedelta(minutes=5))
    assert settle(tmp_path, 10, NOW) == [date(2017, 8, 16), date(2017, 8, 17)]
    assert list(settled_days(tmp_path)) == [date(2017, 8, 16), date(2017, 8, 17)]
    rows = {row.key: row for row in read_day(settled_days(tmp_path)[date(2017, 8, 16)])}
    assert rows.keys() == before.keys()
    for key, row in rows.items():
        np.testing.assert_array_equal(row.sums.values, before[key].values)
        still = before[key._replace(model=PERSISTENCE)]
        np.testing.assert_array_equal(row.persistence.values, still.values)
        assert (row.first, row.last) == (BASE + timedelta(minutes=5), BASE + timedelta(minutes=10))
    assert next(each.reference_time - BASE for each in LedgerFollower(tmp_path).read()) >= timedelta(days=29)
    assert settle(tmp_path, 10, NOW) == []


def test_recent_days_and_those_still_written_stay(tmp_path: Path) -> None:
    written(tmp_path, 0, 9)
    assert settle(tmp_path, 10, NOW) == []
    written(tmp_path, 30)
    (path, *_) = sorted(tmp_path.iterdir())
    os.utime(path, (0, NOW.timestamp()))
    assert date(2017, 8, 16) not in settle(tmp_path, 10, NOW)
    assert settle(tmp_path / "nothing", 10, NOW) == []


def test_killed_after_the_totals_were_written(tmp_path: Path) -> None:
    written(tmp_path, 0, 30)
    lines = {path: path.read_bytes() for path in tmp_path.iterdir()}
    settle(tmp_path, 10, NOW)
    totals = settled_days(tmp_path)[date(2017, 8, 16)].read_bytes()
    for path, content in lines.items():
        path.write_bytes(content)
        os.utime(path, (0, 0))
    assert settle(tmp_path, 10, NOW) == [date(2017, 8, 16)]
    assert settled_days(tmp_path)[date(2017, 8, 16)].read_bytes() == totals
    assert [record_.reference_time.day for record_ in LedgerFollower(tmp_path).read()] == [15, 15]


def test_who_finds_records_gone_does_not_replace_the_totals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, 0, 30)
    read = LedgerFollower.read
    raced: list[int] = []

    def read_late(follower: LedgerFollower) -> Iterator[ScoreRecord]:
        if not raced:  # another settles the day between the look for its totals and the reading of its records
            raced.append(1)
            settle(tmp_path, 10, NOW)
        return read(follower)

    monkeypatch.setattr(LedgerFollower, "read", read_late)
    settle(tmp_path, 10, NOW)
    (path,) = settled_days(tmp_path).values()
    assert {row.sums.frames for row in read_day(path)} == {2}
    assert not list(tmp_path.glob(".*"))


def test_totals_have_their_name_on_the_disk_before_records_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, 0, 30)
    done: list[str] = []
    synced, unlinked = os.fsync, Path.unlink

    def sync(handle: int) -> None:
        done.append(f"synced {Path(f'/proc/self/fd/{handle}').readlink().name}")
        synced(handle)

    def unlink(path: Path, missing_ok: bool = False) -> None:
        done.append(f"gone {path.suffix}")
        unlinked(path, missing_ok)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "unlink", unlink)
    settle(tmp_path, 10, NOW)
    assert done.index(f"synced {tmp_path.name}") < done.index("gone .jsonl")


def test_other_content_is_told(tmp_path: Path) -> None:
    path = tmp_path / "scores-20170816.totals.json"
    for content in ("", "[]", '{"v": 2}', '{"v": 1, "rows": [{}]}'):
        path.write_text(content)
        with pytest.raises(UnreadableFile, match="totals of a day"):
            read_day(path)


def test_days_that_have_totals_can_be_passed_over(tmp_path: Path) -> None:
    written(tmp_path, 0, 1)
    assert len(list(LedgerFollower(tmp_path, without={date(2017, 8, 16)}).read())) == 2
