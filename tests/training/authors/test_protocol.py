"""The authors' protocol on frames of a few pixels, worked by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models.baselines import Persistence
from models.card import ModelCard, StateShape
from models.recurrent import MOST_GROWTH, RecurrentForecaster
from models.spec import NetworkSpec
from radar.grid import Grid
from radar.rain import RainScaling
from radar.sequence import Float32, FrameSequence, times_after
from training.authors.protocol import PIXELS, FrameTally, authors_table, score_as_authors, write_authors_json

NAN = float("nan")


def pixel(rate: float) -> float:
    """The paper's own formula."""
    return float(np.clip((10 * np.log10(256 * rate**1.42) + 10) / 70, 0, 1)) if rate else 0.0


def sequence(*frames: list[float]) -> FrameSequence:
    """Frames of one row, 5 minutes apart."""
    rain = np.array(frames, np.float32)[:, None]
    times = times_after(datetime(2026, 1, 1, tzinfo=UTC), len(frames), 5)
    return FrameSequence(rain, times, Grid("row", rain.shape[1:], 1.0), 5)


class Echo:
    """A step that predicts what it read, plus a tenth; its state is nothing."""

    def start(self, batch: int, rows: int, columns: int) -> None:
        return None

    def __call__(self, frame: Float32, state: None) -> tuple[Float32, None]:
        return frame[:, :1] + np.float32(0.1), None

    def observe(self, frame: Float32, state: None) -> None:
        return self(frame, state)[1]


def network(coordinates: str = "eulerian", base: str = "none") -> RecurrentForecaster:
    card = ModelCard.model_validate(
        {
            "name": "echo",
            "version": "1",
            "spec": NetworkSpec("convlstm", channels=1, inputs=("rain",)),
            "timestep_minutes": 5,
            "pixel_size_km": 1.0,
            "input_length": 3,
            "longest_lead_minutes": 60,
            "scaling": RainScaling(),
            "coordinates": coordinates,
            "base": base,
            "states": (StateShape(name="none", channels=1, scale=0),),
            "pad_multiple": 1,
            "tolerances": {"cpu": 1e-5},
        }
    )
    return RecurrentForecaster(card, Echo())


def test_pixels_are_the_papers() -> None:
    rates = [0.0, 0.01, 0.05, 1.0, 30.0, 500.0]
    assert PIXELS.to_network(rates).tolist() == pytest.approx([pixel(rate) for rate in rates], abs=1e-6)


def test_hand_worked_frame() -> None:
    tally = FrameTally([1.0, 100.0])
    said = np.array([[pixel(2.0), pixel(1.5), 0.0, NAN]], np.float32)
    tally.add(said, np.array([[2.0, 0.5, 2.0, NAN]], np.float32))
    score, heavy = tally.scores("m", "e", 5)
    errors = [pixel(1.5) - pixel(0.5), pixel(2.0)]  # the missing pixel is 0 on both sides: a correct negative
    assert score.mae == pytest.approx(sum(errors), rel=1e-5)
    assert score.mse == pytest.approx(sum(error**2 for error in errors), rel=1e-5)
    # 2 mm/h weighs 2
    assert score.balanced_mae == pytest.approx(errors[0] + 2 * errors[1], rel=1e-5)
    assert (score.csi, score.pod, score.far) == (1 / 3, 1 / 2, 1 / 2)
    assert score.pixels == 4
    # nothing reaches 100 mm/h: undefined is 0 here, and so is SSIM without a whole window
    assert (heavy.csi, heavy.pod, heavy.far, heavy.hss, heavy.ssim) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("threshold", [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0])
def test_a_rate_of_exactly_a_threshold_reaches_it(threshold: float) -> None:
    tally = FrameTally([threshold])
    rain = np.full((9, 17), threshold, np.float32)
    tally.add(PIXELS.to_network(rain), rain)
    assert tally.tables[threshold].hits == rain.size


def test_a_missing_observation_counts_as_no_rain() -> None:
    tally = FrameTally([1.0])
    tally.add(np.array([[0.5]], np.float32), np.array([[NAN]], np.float32))
    (score,) = tally.scores("m", "e", 5)
    assert (score.mae, score.far) == (0.5, 1)


def test_errors_are_summed_over_pixels_and_averaged_over_starts() -> None:
    tally = FrameTally([1.0])
    for error in (0.25, 0.5):
        tally.add(np.full((2, 3), error, np.float32), np.zeros((2, 3), np.float32))
    (score,) = tally.scores("m", "e", 5)
    assert score.mae == pytest.approx(6 * (0.25 + 0.5) / 2)
    assert (score.starts, score.pixels) == (2, 6)


def test_all_frames_count_that_a_network_predicts_while_it_reads() -> None:
    rain = sequence([1, 1], [1, 1], [2, 2], [2, 2], [2, 2])
    rows = score_as_authors({"echo": network(), "persistence": Persistence()}, "e", rain, 10, [1.0], 1)
    found = {(row.model, row.lead_minutes): row.mae for row in rows}
    assert sorted(found) == [*(("echo", lead) for lead in (-5, 0, 5, 10)), ("persistence", 5), ("persistence", 10)]
    step = pixel(2) - pixel(1)
    # reads 1, 1, 2 and says each plus 0.1; feeds back what it said, plus 0.1
    assert found["echo", -5] == pytest.approx(2 * 0.1, rel=1e-4)
    assert found["echo", 0] == pytest.approx(2 * abs(0.1 - step), rel=1e-4)
    assert found["echo", 5] == pytest.approx(2 * 0.1, rel=1e-4)
    assert found["echo", 10] == pytest.approx(2 * 0.2, rel=1e-4)
    assert found["persistence", 10] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("framing", [("lagrangian", "none"), ("eulerian", "persistence")])
def test_a_network_of_another_framing_predicts_nothing_while_it_reads(framing: tuple[str, str]) -> None:
    assert not network(*framing).predicts_inputs
    rain = sequence(*([1.0] * 40,) * 5)
    if framing[0] == "eulerian":  # motion needs larger frames
        rows = score_as_authors({"echo": network(*framing)}, "e", rain, 10, [1.0], 1)
        assert {row.lead_minutes for row in rows} == {5, 10}


def test_predictions_end_with_the_forecast() -> None:
    rain = sequence([1, 3], [1, 0], [2, NAN])
    said, forecast = network().predictions(rain, 4), network().forecast(rain, 4).rain_rate
    assert said.shape == (2 + 4, 1, 2)
    shown = np.minimum(network().card.scaling.from_network(said[2:, 0, 0]), MOST_GROWTH * 3)
    np.testing.assert_allclose(shown, forecast[:, 0, 0], rtol=1e-5)
    assert np.isfinite(said).all()  # where nothing is observed, the network's own word
    assert np.isnan(forecast[:, 0, 1]).all()


def test_table_and_json_have_means_and_rows(tmp_path: Path) -> None:
    rain = sequence([1, 1], [1, 1], [2, 2], [2, 2], [2, 2])
    rows = score_as_authors({"echo": network(), "persistence": Persistence()}, "e", rain, 10, [1.0, 5.0], 1)
    table = authors_table(rows)
    mean = np.mean([row.mae for row in rows if row.model == "echo" and row.threshold == 1])
    assert "| echo, forecast | 2 |" in table
    assert "| echo, all | 4 |" in table
    assert f"{mean:.4g}" in table
    assert "persistence, all" not in table
    write_authors_json(tmp_path / "scores.json", rows)
    written = json.loads((tmp_path / "scores.json").read_text())
    assert len(written) == len(rows) == 2 * (4 + 2)
    assert {row["protocol"] for row in written} == {"authors"}
