"""What quality control believes: all that is real, and nothing that is broken."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from radar.files.open import open_sequence
from radar.grid import Grid
from radar.quality import LIMITS, QualityLimits, find_flaws
from radar.sequence import FrameSequence, times_after

GRID = Grid("square", (200, 200), 1.0)
START = datetime(2024, 6, 1, 12, tzinfo=UTC)


def frames(*fields: np.ndarray, step: int = 5, start: datetime = START) -> FrameSequence:
    stacked = np.stack(fields).astype(np.float32)
    grid = replace(GRID, shape=stacked.shape[1:])
    return FrameSequence(stacked, times_after(start, len(fields), step), grid, step, "RY")


def shower(seed: int, wet: float = 0.2, rate: float = 3.0, shape: tuple[int, int] = GRID.shape) -> np.ndarray:
    """Rain on the upper part of the grid, of other rates with each seed."""
    draw = np.random.default_rng(seed)
    rain = draw.random(shape) * rate + 0.12
    rain[round(wet * shape[0]) :] = 0
    return rain


def reasons(sequence: FrameSequence, before: FrameSequence | None = None) -> list[str]:
    return [flaw.reason for flaw in find_flaws(sequence, before).values()]


def test_ordinary_rain_is_believed() -> None:
    assert find_flaws(frames(shower(0), shower(1), shower(2))) == {}
    assert find_flaws(frames(np.zeros(GRID.shape), np.zeros(GRID.shape), np.zeros(GRID.shape))) == {}


def test_hail_in_single_pixels_is_believed_and_a_field_of_it_is_not() -> None:
    rain = shower(0)
    rain[0, :30] = 400
    assert reasons(frames(rain)) == []
    rain[0, :50] = 400  # of 40,000 pixels, 40 are a thousandth
    assert reasons(frames(rain)) == ["maximum"]


def test_reflectivity_sent_as_rain_rates_is_not_believed() -> None:
    (flaw,) = find_flaws(frames(np.full(GRID.shape, 25.0))).values()
    assert (flaw.reason, flaw.got) == ("maximum", "25.0 mm/h")


def test_a_jump_of_the_wet_area_is_not_believed_and_what_comes_back_is() -> None:
    flaws = find_flaws(frames(shower(0), shower(1, wet=0.36), shower(2), shower(3, wet=0.04), shower(4)))
    assert [(flaw.reason, flaw.got) for flaw in flaws.values()] == [
        ("wet_area", "20% before and 36% now"),
        ("wet_area", "20% before and 4% now"),
    ]
    assert list(flaws) == [START + timedelta(minutes=10), START + timedelta(minutes=20)]


def test_a_change_that_stays_is_believed_after_a_quarter_of_an_hour() -> None:
    later = [shower(seed, wet=0.6) for seed in range(1, 6)]
    assert len(find_flaws(frames(shower(0), *later))) == 3  # 5, 10 and 15 minutes after the last that was believed


def test_a_frozen_field_is_not_believed_for_an_hour() -> None:
    rain = shower(0)
    flaws = find_flaws(frames(*[rain] * 14))
    assert {flaw.reason for flaw in flaws.values()} == {"frozen"}
    assert len(flaws) == 12
    moved = rain.copy()
    moved[0, 0] += 0.12
    assert find_flaws(frames(rain, moved)) == {}


def test_the_same_few_clutter_pixels_are_believed() -> None:
    rain = np.zeros(GRID.shape)
    rain[:2, : LIMITS.frozen_wet_pixels // 2 - 1] = 1
    assert find_flaws(frames(rain, rain)) == {}


def test_lost_coverage_is_not_believed_and_more_coverage_is() -> None:
    rain, half = shower(0), shower(1)
    half[:, :40] = np.nan
    assert reasons(frames(rain, half)) == ["missing"]
    assert reasons(frames(half, rain)) == []
    assert reasons(frames(np.full(GRID.shape, np.nan), np.full(GRID.shape, np.nan))) == []


def test_the_stored_frame_before_counts_if_it_is_near() -> None:
    before = frames(shower(0, wet=0.7), start=START - timedelta(minutes=5))
    assert reasons(frames(shower(1)), before) == ["wet_area"]
    assert reasons(frames(shower(1), start=START + timedelta(minutes=15)), before) == []
    other_grid = frames(shower(0, wet=0.7, shape=(100, 300)), start=START - timedelta(minutes=5))
    assert reasons(frames(shower(1)), other_grid) == []


def test_small_grids_are_not_judged_by_areas() -> None:
    small = (90, 100)
    assert reasons(frames(np.zeros(small), np.full(small, 30.0))) == []


@pytest.mark.parametrize(
    "event",
    [
        "bom_brisbane_20201031",
        "bom_melbourne_20180616",
        "dwd_ry_20200101",
        "dwd_yw_20170816",
        "fmi_fi_20160928",
        "fmi_fi_20170509",
        "knmi_nl_20100826",
        "mch_ch_20150515",
        "mch_ch_20170131",
    ],
)
def test_no_frame_of_a_real_event_is_quarantined(real_data: Path, event: str) -> None:
    sequence = open_sequence([real_data / "events" / f"{event}.nc"])
    # With room: what half of every limit lets pass, the whole does.
    assert find_flaws(sequence, limits=half(LIMITS)) == {}


def test_no_real_file_of_dwd_is_quarantined(real_data: Path) -> None:
    names = ["raa01-ry_10000-1408102050-dwd---bin.gz", "20250604_1630_RY.h5", "DE1200_RV2210180700.tar.bz2"]
    names += ["raa01-rx_10000-1408102050-dwd---bin.gz", "raa01-rx_10000-1605290600-dwd---bin_Braunsbach"]
    singles = [[real_data / "dwd" / name] for name in names]
    runs = [sorted((real_data / "dwd" / folder).iterdir()) for folder in ("yw_20170816", "ry_20200101")]
    for paths in singles + runs:
        assert find_flaws(open_sequence(paths), limits=half(LIMITS)) == {}, paths[0].name


def half(limits: QualityLimits) -> QualityLimits:
    """Limits twice as strict."""
    return replace(
        limits,
        heavy_fraction=limits.heavy_fraction / 2,
        mean=limits.mean / 2,
        wet_change=limits.wet_change / 2,
        missing_growth=limits.missing_growth / 2,
    )
