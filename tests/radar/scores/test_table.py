"""The one table of scores: a row is all that a new one needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from radar.errors import UnreadableFile
from radar.scores import sums as live
from radar.scores.comparison import Comparison
from radar.scores.measure import Measure
from radar.scores.pixels import ratio
from radar.scores.probability import MeanSum, brier
from radar.scores.table import SCORES, Score, Statistic, kept_in, shown_in

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "scores.md"
FORECAST = np.array([[2.0, 0.0, 6.0]], np.float32)
OBSERVED = np.array([[1.0, 3.0, 0.0]], np.float32)


@dataclass(frozen=True)
class RainSum:
    """Rain at or above a threshold, forecast and observed, in mm/h."""

    forecast: float = 0.0
    observed: float = 0.0


def rain_sum(pair: Comparison, threshold: float) -> RainSum:
    return RainSum(*(float(rain[rain >= threshold].sum()) for rain in pair.rain))


def wetness(sums: RainSum) -> float:
    return ratio(sums.forecast, sums.observed)


WETNESS = Score("wetness", "wetness", "near 1", Statistic("wet", RainSum, "threshold", rain_sum), wetness)


def test_a_ledger_has_the_sums_of_a_new_score_and_older_ledgers_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    before = live.to_json(live.sums_of(FORECAST, OBSERVED, 25.0))
    monkeypatch.setitem(SCORES, WETNESS.name, WETNESS)
    monkeypatch.setattr(live, "LIVE", Measure(live.THRESHOLDS, live.SCALES_KM, kept_in("live")))
    sums = live.sums_of(FORECAST, OBSERVED, 25.0)
    written = live.to_json(sums)
    assert written == before | {"wet": [[8, 4], [8, 4], [6, 0], [0, 0]]}
    again = live.from_json(json.loads(json.dumps(written)))
    assert live.read_score("wetness", again.values, 1.0) == 2
    older = live.from_json(before)
    assert older.counts(1.0) == sums.counts(1.0)
    assert np.isnan(live.read_score("wetness", older.values, 1.0))


def test_sums_of_a_new_score_may_be_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    error = Statistic("error", MeanSum, "frame", lambda pair: MeanSum(float(np.subtract(*pair.rain).sum()), 3))
    monkeypatch.setitem(SCORES, "mean_error", Score("mean_error", "error", "highest", error, brier))
    monkeypatch.setattr(live, "LIVE", Measure(live.THRESHOLDS, live.SCALES_KM, kept_in("live")))
    written = live.to_json(live.sums_of(OBSERVED, FORECAST, 25.0))
    assert float(live.read_score("mean_error", live.from_json(written).values)) == -4 / 3
    with pytest.raises(UnreadableFile):
        live.from_json(written | {"frames": -1})


def test_tables_take_those_first_that_are_named_and_then_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCORES, WETNESS.name, WETNESS)
    names = [score.name for score in shown_in("means", "mae", "csi")]
    assert names[:2] == ["mae", "csi"]
    assert names[-1] == "wetness"
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_explained(name: str) -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("|")]
    assert any(f"`{name}`" in row.split("|")[2] for row in rows)
