"""Whether frames are as they usually are."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from radar.grid import Grid
from radar.ledger.inputs import InputFollower, InputRecord, InputWriter, describe, drop_old
from radar.sequence import FrameSequence
from service.history.codec import SeriesKey
from service.history.history import History
from service.history.store import MemoryHistory
from service.verification.input_watch import LASTING, LEAST_FRAMES, InputLimits, InputWatch, judge
from service.verification.stores.leases import MemoryLeases

START = datetime(2017, 8, 16, tzinfo=UTC)
GRID = Grid("few", (2, 5), 1.0)
SERIES = SeriesKey("RY", GRID.key)
USUAL = {"wet_fraction": 0.1, "maximum": 20.0, "missing_fraction": 0.4, "gap_minutes": 5.0}


def records(count: int, **changes: float | None) -> list[InputRecord]:
    draw = np.random.default_rng(0)
    return [
        InputRecord("RY", "few", START + timedelta(minutes=5 * k), **(_drawn(draw) | changes))  # type: ignore[arg-type]
        for k in range(count)
    ]


def _drawn(draw: np.random.Generator) -> dict[str, float]:
    return {name: value * draw.uniform(0.8, 1.2) if name != "gap_minutes" else value for name, value in USUAL.items()}


def unusual(found: list[InputRecord]) -> set[str]:
    return {judgement.quantity for judgement in judge(found, InputLimits()) if judgement.unusual}


def test_hand_worked_record() -> None:
    rain = np.array([[0, 0.1, 3, np.nan, np.nan], [0, 0, 0, 0, 0]], np.float32)
    found = describe("RY", "few", START, rain, START - timedelta(minutes=10))
    assert found == InputRecord("RY", "few", START, 2 / 8, 3.0, 1 - 8 / 10, 10.0)
    nothing = describe("RY", "few", START, np.full((2, 5), np.nan, np.float32), None)
    assert nothing == InputRecord("RY", "few", START, None, None, 1.0, None)


def test_records_count_once_and_survive_other_lines(tmp_path: Path) -> None:
    written = records(3)
    for writer in (InputWriter(tmp_path), InputWriter(tmp_path)):
        for record in written:
            writer.append(record)
    (path, _) = sorted(tmp_path.iterdir())
    with path.open("a") as file:
        file.write('{"v":2}\n{"v":1,"product":"RY"}\n{"v":1,"prod')
    follower = InputFollower(tmp_path)
    assert list(follower.read()) == written
    assert follower.knows("RY", "few", START)
    assert list(follower.read()) == []
    follower.forget("RY", "few", START + timedelta(minutes=5))
    assert [follower.knows("RY", "few", record.time) for record in written] == [False, True, True]


def test_usual_frames_are_usual() -> None:
    assert unusual(records(LEAST_FRAMES + 50)) == set()


@pytest.mark.parametrize(
    ("quantity", "value"),
    [("wet_fraction", 0.6), ("maximum", 150.0), ("missing_fraction", 0.9), ("missing_fraction", 0.0)],
)
def test_a_quantity_that_stays_out_of_its_range(quantity: str, value: float) -> None:
    known = records(LEAST_FRAMES + LASTING)
    for back in range(1, LASTING + 1):
        assert unusual(known) == set()
        known[-back] = known[-back]._replace(**{quantity: value})  # type: ignore[arg-type]
    assert unusual(known) == {quantity}


def test_a_gap_is_told_at_once() -> None:
    known = records(LEAST_FRAMES + LASTING)
    known[-1] = known[-1]._replace(gap_minutes=20.0)
    assert unusual(known) == {"gap_minutes"}


def test_there_is_no_opinion_at_first() -> None:
    found = judge(records(LEAST_FRAMES, maximum=20.0)[:-1] + records(1, maximum=900.0), InputLimits())
    assert [(judgement.low, judgement.unusual) for judgement in found] == [(None, False)] * 4


def test_frames_without_a_pixel_are_no_rain_of_nothing() -> None:
    known = records(LEAST_FRAMES + LASTING)
    known[-LASTING:] = [
        record._replace(wet_fraction=None, maximum=None, missing_fraction=1.0) for record in known[-LASTING:]
    ]
    assert unusual(known) == {"missing_fraction"}


def test_the_watch_notes_every_frame_once(tmp_path: Path) -> None:
    history, leases = History(MemoryHistory(timedelta(hours=6))), MemoryLeases()
    watches = [InputWatch(history, tmp_path, leases, InputLimits()) for _ in range(2)]
    rain = np.zeros((3, *GRID.shape), np.float32)
    times = tuple(START + timedelta(minutes=5 * k) for k in range(3))
    history.append(FrameSequence(rain, times, GRID, 5, "RY"))
    for watch in (*watches, *watches):
        watch.look()
    written = list(InputFollower(tmp_path).read())
    assert [record.time for record in written] == list(times)
    assert [record.gap_minutes for record in written] == [None, 5.0, 5.0]
    assert watches[1].series() == [SERIES]
    assert [judgement.value for judgement in watches[1].judge(SERIES)] == [0.0, 0.0, 0.0, 5.0]
    again = InputWatch(history, tmp_path, MemoryLeases(), InputLimits())
    again.look()
    assert len(list(InputFollower(tmp_path).read())) == 3


def test_records_of_days_that_are_long_over_go(tmp_path: Path) -> None:
    now = START + timedelta(days=60)
    writer = InputWriter(tmp_path)
    for day in (0, 5, 30):
        (of_day,) = records(1)
        writer.append(of_day._replace(time=START + timedelta(days=day)))
    for path in tmp_path.iterdir():
        os.utime(path, (0, now.timestamp() - 11 * 86400))
    (path,) = tmp_path.glob("inputs-20170821*")
    os.utime(path, (0, now.timestamp()))  # an old day, to which something was added a moment ago
    drop_old(tmp_path, 14, now)
    assert [record.time for record in InputFollower(tmp_path).read()] == [
        START + timedelta(days=day) for day in (5, 30)
    ]
