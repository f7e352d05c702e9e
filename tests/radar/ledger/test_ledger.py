"""A ledger that several write, that is cut off at any byte, and in which every record counts once."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from radar.ledger.ledger import (
    EXTRAPOLATION,
    PERSISTENCE,
    Key,
    LedgerFollower,
    LedgerWriter,
    ScoreRecord,
    paired_by_reference_time,
    read_pairs,
    read_records,
    read_scores,
)
from radar.scores.sums import LIVE, ScoreSums, sums_of

BASE = datetime(2017, 8, 16, 23, 50, tzinfo=UTC)
MODEL = "still/1"


def record(minutes: int = 0, lead: int = 5, *, seed: int = 0, digest: str = "0", models: int = 2) -> ScoreRecord:
    draw = np.random.default_rng(seed + minutes)
    observed, *forecasts = draw.gamma(0.3, 4, (3, 8, 8)).astype(np.float32)
    base = BASE + timedelta(minutes=minutes)
    names = (MODEL, PERSISTENCE)[:models]
    return ScoreRecord(
        run=f"RY.small.{base:%Y%m%dT%H%MZ}.still-1.{digest}",
        product="RY",
        grid="small",
        reference_time=base,
        lead_minutes=lead,
        served=MODEL,
        method="model",
        sums={name: sums_of(frame, observed, 1.0) for name, frame in zip(names, forecasts, strict=False)},
    )


def total(folder: Path, model: str = MODEL, lead: int = 5) -> ScoreSums:
    return read_scores(folder)[Key("RY", "small", model, lead)]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = [record(0), record(0, 10), record(15)]
    writer = LedgerWriter(tmp_path / "made")
    for each in written:
        writer.append(each)
    read = list(read_records(tmp_path / "made"))
    assert [replace(each, sums={}) for each in read] == [replace(each, sums={}) for each in written]
    for before, after in zip(written, read, strict=True):
        assert before.sums.keys() == after.sums.keys()
        for model in before.sums:
            np.testing.assert_array_equal(before.sums[model].values, after.sums[model].values)
    assert sorted(path.name[:15] for path in (tmp_path / "made").iterdir()) == ["scores-20170816", "scores-20170817"]


def test_totals_add_up(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    written = [record(minutes) for minutes in (0, 5, 10)]
    for each in written:
        writer.append(each)
    expected = written[0].sums[MODEL] + written[1].sums[MODEL] + written[2].sums[MODEL]
    np.testing.assert_array_equal(total(tmp_path).values, expected.values)
    assert read_scores(tmp_path, product="YW") == {}
    assert read_scores(tmp_path / "nothing") == {}


def test_a_record_counts_once_however_often_it_is_there(tmp_path: Path) -> None:
    for writer in (LedgerWriter(tmp_path), LedgerWriter(tmp_path)):
        writer.append(record())
        writer.append(record())
        writer.append(record(lead=10))
    assert len(list(tmp_path.iterdir())) == 2
    assert total(tmp_path).frames == 1
    assert total(tmp_path, lead=10).frames == 1


def test_cut_off_at_every_byte(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "whole")
    writer.append(record())
    writer.append(record(lead=10))
    (path,) = (tmp_path / "whole").iterdir()
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    for length in range(0, len(content) + 1, 7):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / path.name).write_bytes(content[:length])
        expected = (length >= first) + (length == len(content))
        assert len(list(read_records(folder))) == expected


def test_what_a_crash_left_in_the_middle_is_passed_over_and_counted(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    writer.append(record())
    (path,) = tmp_path.iterdir()
    other = json.loads(path.read_text()) | {"v": 99}
    with path.open("a") as file:
        file.write('{"v":1,"run":"RY.sm\n[]\n{}\n' + json.dumps(other) + "\n")
    writer.append(record(lead=10))
    follower = LedgerFollower(tmp_path)
    assert [each.lead_minutes for each in follower.read()] == [5, 10]
    assert follower.damaged == 4


def test_a_follower_reads_what_is_new(tmp_path: Path) -> None:
    follower, writer = LedgerFollower(tmp_path), LedgerWriter(tmp_path)
    assert list(follower.read()) == []
    writer.append(record())
    assert not follower.knows(record().run, 5)
    assert [each.id for each in follower.read()] == [record().id]
    assert follower.knows(record().run, 5)
    assert list(follower.read()) == []
    LedgerWriter(tmp_path).append(record())
    writer.append(record(lead=10))
    assert [each.lead_minutes for each in follower.read()] == [10]
    for beginning, before in (("RY.small", BASE), ("YW.small", BASE + timedelta(days=1)), ("RY.sm", BASE)):
        follower.forget(beginning, before)
        assert follower.knows(record().run, 10)
    follower.forget("RY.small", BASE + timedelta(minutes=1))
    assert not follower.knows(record().run, 10)


def test_bounds_are_reference_times(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    for minutes in (0, 5, 10, 15):
        writer.append(record(minutes))
    since, until = BASE + timedelta(minutes=5), BASE + timedelta(minutes=10)
    assert [each.reference_time for each in read_records(tmp_path, since=since, until=until)] == [since, until]
    assert len(list(read_records(tmp_path, since=since))) == 3


def test_pairs_are_where_both_forecast(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    for each in (record(5), record(0, 10), record(0), record(10, models=1), record(5, seed=9, digest="1")):
        writer.append(each)
    pairs = read_pairs(tmp_path, MODEL, PERSISTENCE)
    assert [(pair.reference_time.minute, pair.lead_minutes) for pair in pairs] == [(50, 5), (50, 10), (55, 5)]
    np.testing.assert_array_equal(pairs[2].mine.values, record(5, seed=9).sums[MODEL].values)
    mine, theirs = paired_by_reference_time(pairs)
    assert mine.shape == theirs.shape == (2, LIVE.size)
    assert mine[:, 0].tolist() == [2, 1]
    assert paired_by_reference_time(pairs, [10])[0][:, 0].tolist() == [1]
    assert paired_by_reference_time(read_pairs(tmp_path, MODEL, EXTRAPOLATION))[0].shape == (0, LIVE.size)


def test_a_disk_that_fails_is_told_and_leaves_the_rest_readable(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(OSError, match="file"):
        LedgerWriter(blocked / "ledger").append(record())


def test_a_new_file_has_its_name_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink()))
    writer = LedgerWriter(tmp_path / "ledger")
    writer.append(record(0))
    (path,) = (tmp_path / "ledger").iterdir()
    assert {path, tmp_path / "ledger", tmp_path} <= set(synced)
    synced.clear()
    writer.append(record(5))
    assert synced == [path]
