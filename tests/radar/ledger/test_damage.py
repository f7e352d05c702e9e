"""A ledger in which anything stands: what does not fit is passed over, and all else counts."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radar.ledger.append_log import QUIET_DAYS, LogFollower
from radar.ledger.days import settle
from radar.ledger.inputs import InputFollower, InputWriter, describe
from radar.ledger.ledger import KIND, LedgerFollower, LedgerWriter
from tests.radar.ledger.test_ledger import BASE, record

LINES: list[Any] = [
    {"base": "9999-12-31T00:00:00Z"},
    {"base": "2017-08-16T23:50:00"},
    {"base": 5},
    {"lead": 10**12},
    {"lead": -5},
    {"lead": "x"},
    {"product": "a\nb"},
    {"product": ["x"]},
    {"run": "x" * 1000},
    {"sums": {}} | {"v": 2},
    {"sums": []},
    {"sums": {"still/1": {}}},
]


def hostile(folder: Path) -> None:
    """Everything that is no file of lines, under names of the ledger."""
    for kind in ("scores", "inputs"):
        (folder / f"{kind}-20170801.d.jsonl").mkdir()
        os.mkfifo(folder / f"{kind}-20170802.f.jsonl")
        (folder / f"{kind}-20170803.z.jsonl").symlink_to("/dev/zero")
        (folder / f"{kind}-20170804.l.jsonl").symlink_to("nothing")
        (folder / f"{kind}-20179999.x.jsonl").write_text("{}\n")
    (folder / "scores-20179999.totals.json").write_text("{}")


def lines_of(folder: Path) -> Path:
    (path,) = folder.glob("scores-20170816.*-*.jsonl")
    return path


def test_lines_that_are_no_records_are_counted_and_passed_over(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path)
    writer.append(record(0))
    sound = json.loads(lines_of(tmp_path).read_text())
    sums = json.loads(json.dumps(sound["sums"]["still/1"]))
    errors = ([float("nan")] * 3, [-1, 2, 3], [1e300, 1, 1])
    lines = [*LINES, *({"sums": {"still/1": sums | {"errors": bad}}} for bad in errors)]
    with lines_of(tmp_path).open("ab") as file:
        for number, change in enumerate(lines):
            file.write(
                json.dumps({"run": f"r{number}", **{k: sound[k] for k in sound if k != "run"}, **change}).encode()
            )
            file.write(b"\n")
        file.write(b"garbage\n[]\n\xff\n" + b"[" * 100_000 + b"\n" + b"x" * 3_000_000 + b"\n")
    writer.append(record(5))
    follower = LedgerFollower(tmp_path)
    assert [each.reference_time for each in follower.read()] == [record(0).reference_time, record(5).reference_time]
    assert follower.damaged >= len(lines) + 5
    assert list(follower.read()) == []


def test_what_is_no_file_is_named_and_passed_over(tmp_path: Path) -> None:
    LedgerWriter(tmp_path).append(record(0))
    hostile(tmp_path)
    follower = LedgerFollower(tmp_path)
    assert len(list(follower.read())) == 1
    assert set(follower.unreadable) == {"scores-20170801.d.jsonl", "scores-20170802.f.jsonl", "scores-20170803.z.jsonl"}


def test_records_of_inputs_are_held_to_what_is_written(tmp_path: Path) -> None:
    writer = InputWriter(tmp_path)
    writer.append(describe("RY", "small", BASE, np.zeros((4, 4), np.float32), None))
    (path,) = tmp_path.glob("inputs-*.jsonl")
    sound = json.loads(path.read_text())
    changes: list[Any] = [{"maximum": "x"}, {"maximum": 1e30}, {"time": "9999-01-01T00:00:00Z"}, {"product": 7}]
    with path.open("a") as file:
        for change in [*changes, {"wet_fraction": True}, {"time": "2017-08-16T23:50:00"}]:
            file.write(json.dumps(sound | change) + "\n")
        file.write('{"v":1,"maximum":NaN}\n')
    hostile(tmp_path)
    follower = InputFollower(tmp_path)
    assert [each.time for each in follower.read()] == [BASE]
    assert follower.damaged == 7


@pytest.mark.parametrize("kind", ["garbage", "link"])
def test_damaged_totals_cost_no_record(tmp_path: Path, kind: str) -> None:
    now = datetime(2018, 1, 1, tzinfo=UTC)
    writer = LedgerWriter(tmp_path)
    for days in (0, 60):
        writer.append(record(days * 1440))
    for path in tmp_path.iterdir():
        os.utime(path, (0, now.timestamp() - 86400 * QUIET_DAYS - 1))
    totals = tmp_path / "scores-20170816.totals.json"
    totals.symlink_to("nothing") if kind == "link" else totals.write_text("{")
    settle(tmp_path, 10, now)
    assert lines_of(tmp_path).exists()
    assert len(list(LogFollower(tmp_path, KIND).read())) == 2
