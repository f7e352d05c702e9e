from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from radar.__main__ import main
from radar.demo import floor_to_step, on_grid
from radar.files.open import open_sequence
from radar.grid import KNOWN_GRIDS
from radar.sequence import FrameSequence

END = "2026-06-01T12:03:40Z"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "frames"
    assert main(["demo", str(folder), "--end", END, "--seed", "3"]) == 0
    return folder


def test_an_hour_of_one_storm_is_written_twice(folder: Path) -> None:
    radolan = open_sequence((folder / "radolan").iterdir())
    odim = open_sequence((folder / "odim").iterdir())
    assert (radolan.grid.name, odim.grid.name) == ("radolan", "de1200")
    for read in (radolan, odim):
        assert (len(read), read.product, read.timestep_minutes) == (13, "RY", 5)
        assert read.valid_times[-1] == datetime(2026, 6, 1, 12, tzinfo=UTC)
        assert np.nanmax(read.rain_rate) > 1
        assert np.isnan(read.rain_rate).any()
    rounding = np.abs(on_grid(odim, radolan.grid).rain_rate - radolan.rain_rate)
    assert np.nanmax(rounding) < 0.13  # 0.12 mm/h is RADOLAN's step, apart from two codes that mean missing
    assert (folder / "radolan" / "raa01-ry_10000-2606011200-dwd---bin.gz").exists()
    assert (folder / "odim" / "20260601_1200_RY.h5").exists()


def test_the_same_demo_may_be_written_again_but_nothing_foreign_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("radar.demo.FRAMES", 2)  # an hour takes longer and shows no more
    again = ["demo", str(tmp_path), "--end", END, "--seed", "3"]
    assert [main(again), main(again)] == [0, 0]
    assert "curl" in capsys.readouterr().out
    foreign = tmp_path / "odim" / "20260601_1155_RY.h5"
    foreign.write_bytes(b"not a demo file")
    assert main(again) == 1
    assert "got another 20260601_1155_RY.h5" in capsys.readouterr().err
    assert foreign.read_bytes() == b"not a demo file"


def test_a_wrong_time_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "somewhere", "--end", "noon"])
    assert "--end" in capsys.readouterr().err


def test_times_are_floored_to_five_minutes() -> None:
    time = datetime(2026, 6, 1, 12, 59, 59, 7, tzinfo=UTC)
    assert floor_to_step(time) == datetime(2026, 6, 1, 12, 55, tzinfo=UTC)
    assert floor_to_step(time - timedelta(minutes=4, seconds=59, microseconds=7)) == datetime(
        2026, 6, 1, 12, 55, tzinfo=UTC
    )


def test_a_pixel_stays_at_its_place_on_another_grid() -> None:
    """Berlin's rain on DE1200 is Berlin's rain on RADOLAN."""
    wide, narrow = KNOWN_GRIDS["de1200"], KNOWN_GRIDS["radolan"]
    row, column = (round(float(place)) for place in wide.to_row_column(52.52, 13.405))
    rain = np.zeros((1, *wide.shape), np.float32)
    rain[0, row - 1 : row + 2, column - 1 : column + 2] = 5
    moved = on_grid(FrameSequence(rain, (datetime(2026, 6, 1, tzinfo=UTC),), wide, 5, "RY"), narrow)
    there = tuple(round(float(place)) for place in narrow.to_row_column(52.52, 13.405))
    assert moved.rain_rate[0][there] == 5
    assert np.count_nonzero(moved.rain_rate) <= 12
