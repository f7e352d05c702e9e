"""A score that is added as one row is added up, read and shown by every command."""

from __future__ import annotations

import numpy as np
import pytest

from models.baselines import Persistence
from radar.counts import STORED
from radar.scores.measure import Measure
from radar.scores.table import SCORES
from tests.radar.scores.test_table import WETNESS
from tests.training.small_world import NOON, storm
from training.evaluate.report.numbers import report_numbers
from training.evaluate.report.tables import score_table, threshold_columns
from training.evaluate.score_event import score_event
from training.evaluate.table import json_row, markdown_tables, mean_scores
from training.hindcast.scores import score_rows, start_sums, sum_names


@pytest.fixture(autouse=True)
def _one_row_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCORES, WETNESS.name, WETNESS)


def test_an_evaluation_has_it_in_its_sums_its_tables_and_its_report() -> None:
    rain = storm(NOON, 8)
    measure = Measure((1.0, 5.0), (10.0,))
    assert {"wet_forecast_1", "wet_observed_5"} < set(measure.columns)
    scored = score_event({"persistence": Persistence()}, "storm", rain, 5, measure, 1)
    rows = scored.rows()
    wet = np.nan_to_num(np.where(rain.rain_rate >= 1, rain.rain_rate, 0), nan=0)
    assert rows[0].scores["wetness"] == pytest.approx(wet[:-1].sum() / wet[1:].sum(), rel=1e-5)
    assert json_row(rows[0])["wetness_low"] <= rows[0].scores["wetness"] <= json_row(rows[0])["wetness_high"]
    assert "wetness |" in markdown_tables(rows)
    assert mean_scores(rows)[0]["wetness"] == rows[0].scores["wetness"]
    numbers = report_numbers([scored], {})
    assert numbers["means"][0]["wetness"] == rows[0].scores["wetness"]
    assert "<th>wetness</th>" in score_table(numbers["means"], threshold_columns(numbers["events"][0]))


def test_a_hindcast_has_it_in_its_store_and_its_rows() -> None:
    forecast, observed = np.array([[[2.4, 1.2, 0.0]]], np.float32), np.array([[1.2, 1.2, 0.0]], np.float32)
    counts, saturated = STORED.to_counts(forecast)
    sums = start_sums([counts], [saturated.sum(axis=(1, 2))], [observed], (1.0,), 1.0)
    assert sum_names((1.0,))[-2:] == ["wet_forecast_1", "wet_observed_1"]
    assert sums[0, 0, -2:] == pytest.approx([3.6, 2.4])
    (row,) = score_rows(sums, ["model"], [5], (1.0,))
    assert row["wetness"] == pytest.approx(1.5)
