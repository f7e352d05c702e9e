"""A forecaster from log-odds: of a step that adds nothing, its forecasts are those of the dressed base."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from models.baselines import SProg
from models.card import ModelCard
from models.exceedance.dressing import Dressing
from models.exceedance.forecaster import ExceedanceForecaster, forecaster_of
from models.exceedance.odds import Statistic, amounts, probabilities, quantised
from models.exceedance.rain import nested
from models.forecaster import EnsembleForecaster, ProbabilityForecaster
from models.spec import EXCEEDANCE_INPUTS, NetworkSpec
from radar.grid import Grid
from radar.rain import RainScaling
from radar.sequence import Float32, FrameSequence, times_after
from radar.synthetic import Weather, storm_sequence

END = datetime(2024, 7, 1, 12, tzinfo=UTC)
GRID = Grid("small", (64, 72), 1.0)
THRESHOLDS = (0.1, 0.5, 1.0, 2.0, 5.0)


class Nothing:
    """A step that adds nothing and remembers what it read."""

    def __init__(self) -> None:
        self.read: list[Float32] = []

    def start(self, batch: int, rows: int, columns: int) -> None:
        self.read.clear()

    def __call__(self, frame: Float32, state: None) -> tuple[Float32, None]:
        self.read.append(frame)
        return np.zeros((len(frame), len(THRESHOLDS), *frame.shape[-2:]), np.float32), None

    def observe(self, frame: Float32, state: None) -> None:
        return self(frame, state)[1]


def forecaster(slope: float = 12.0, offset: float = 0.0) -> ExceedanceForecaster:
    rows = 12
    card = ModelCard(
        name="dressed",
        version="1",
        spec=NetworkSpec(
            "convlstm", inputs=EXCEEDANCE_INPUTS, output="exceedance", thresholds=THRESHOLDS, patch=4, fine_patch=2
        ),
        timestep_minutes=5,
        pixel_size_km=1.0,
        input_length=5,
        longest_lead_minutes=120,
        scaling=RainScaling(a=1, b=1, lowest_dbz=-15, highest_dbz=30, dry_below=0.1),
        coordinates="lagrangian",
        base="sprog",
        states=(),
        pad_multiple=4,
        tolerances={"cpu": 1e-3},
        dressing=Dressing(slopes=((slope,) * 5,) * rows, offsets=((offset,) * 5,) * rows),
    )
    made = forecaster_of(card, Nothing())
    assert isinstance(made, ExceedanceForecaster)
    return made


def storm(missing: bool = True) -> FrameSequence:
    made = storm_sequence(GRID, 6, seed=3, end_time=END, weather=Weather(wet_fraction=0.3, missing_sector=missing))
    return made if missing else replace(made, rain_rate=np.nan_to_num(made.rain_rate))


def still(rate: float) -> FrameSequence:
    frames = np.full((5, *GRID.shape), rate, np.float32)
    return FrameSequence(frames, times_after(END, 5, 5), GRID, 5, "RY")


def test_a_step_that_adds_nothing_gives_the_picture_of_sprog_matched_in_distribution() -> None:
    history = storm(missing=False)
    made, expected = (f.forecast(history, 6).rain_rate for f in (forecaster(), SProg("sprog-cdf", "cdf")))
    wet, reference = made >= 0.1, expected >= 0.1
    assert (wet & reference).sum() / (wet | reference).sum() > 0.97
    assert np.corrcoef(made.ravel(), expected.ravel())[0, 1] > 0.97


def test_every_way_of_asking_gives_the_same_pixels_and_nan_where_the_last_frame_is() -> None:
    history, model = storm(), forecaster()
    missing = np.isnan(history.rain_rate[-1])
    assert missing.any()
    for name in ("matched", "mean", "median", "p10", "p90"):
        frames = model.statistic(history, 3, name)
        assert frames.reference_time == END
        np.testing.assert_array_equal(np.isnan(frames.rain_rate), np.broadcast_to(missing, frames.rain_rate.shape))
    probabilities = model.probabilities(history, 3, [0.3, 1.0])
    np.testing.assert_array_equal(np.isnan(probabilities), np.broadcast_to(missing, probabilities.shape))
    assert np.nanmax(probabilities) <= 1
    assert np.nanmin(probabilities) >= 0
    assert (np.nan_to_num(probabilities[1] - probabilities[0]) <= 1e-6).all()  # more rain is never likelier


def test_quantiles_rise_and_wet_places_are_more_likely() -> None:
    history, model = storm(missing=False), forecaster()
    low, middle, high = (model.statistic(history, 2, name).rain_rate for name in ("p10", "median", "p90"))
    assert (low <= middle).all()
    assert (middle <= high).all()
    picture, likely = model.forecast(history, 2).rain_rate, model.probabilities(history, 2, [1.0])[0]
    assert likely[picture >= 1].mean() > 4 * likely[picture < 0.1].mean()


def test_longer_leads_than_the_dressing_has_are_forecast_and_the_offset_raises_all() -> None:
    history = storm(missing=False)
    low, high = (forecaster(offset=offset).probabilities(history, 24, [1.0]) for offset in (-1.0, 1.0))
    assert low.shape == (1, 24, *GRID.shape)
    assert (low < high).all()


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.2, 30.0])
def test_rain_that_is_the_same_everywhere_stays_the_same(rate: float) -> None:
    model = forecaster()
    np.testing.assert_allclose(model.forecast(still(rate), 4).rain_rate, rate, rtol=1e-4)
    if rate < 0.1:
        assert not model.probabilities(still(rate), 4, [0.1, 5.0]).any()
        assert not model.statistic(still(rate), 4, "p90").rain_rate.any()


def test_a_batch_is_the_forecasts_one_by_one() -> None:
    histories, model = [storm(), storm(missing=False)], forecaster()
    together = model.forecast_batch(histories, 3)
    for history, made in zip(histories, together, strict=True):
        np.testing.assert_array_equal(made.rain_rate, model.forecast(history, 3).rain_rate)


@pytest.mark.parametrize("name", ["matched", "mean", "p90"])
def test_a_batch_of_a_statistic_is_that_of_each_history(name: Statistic) -> None:
    histories, model = [storm(), storm(missing=False), still(0)], forecaster()
    together = model.statistic_batch(histories, 3, name)
    for history, made in zip(histories, together, strict=True):
        np.testing.assert_array_equal(made.rain_rate, model.statistic(history, 3, name).rain_rate)
    assert model.recent_shapes == ((3, *GRID.shape), (1, *GRID.shape))


@pytest.mark.parametrize("history", [storm(), still(0), still(3)], ids=["storm", "dry", "rain"])
def test_one_pass_of_the_network_gives_the_picture_and_the_odds_of_everything_else(history: FrameSequence) -> None:
    model = forecaster()
    expected = model.forecast(history, 3).rain_rate
    made, odds = model.forecast_with_odds(history, 3, lambda one: one)
    assert len(model.step.read) == 5 + 3  # type: ignore[attr-defined]
    np.testing.assert_array_equal(made.rain_rate, expected)
    for name in ("mean", "median", "p90"):
        fields = np.stack([amounts(one, THRESHOLDS, name) for one in odds])
        np.testing.assert_array_equal(fields, model.statistic(history, 3, name).rain_rate)
    chances = np.stack([probabilities(one, THRESHOLDS, 3.0) for one in odds])
    np.testing.assert_array_equal(chances, model.probabilities(history, 3, [3.0])[0])


def test_log_odds_are_those_before_the_rounding() -> None:
    history, model = storm(), forecaster()
    _, odds = model.forecast_with_odds(history, 3, lambda one: one)
    exact = [one.copy() for one in model.log_odds(history, 3)]
    np.testing.assert_array_equal([quantised(one) for one in exact], odds)
    rounded = [(one.astype(np.float32) - 128) / 16 for one in odds]
    usual = [(one > 1) & (one < 255) for one in odds]
    for one, other, there in zip(exact, rounded, usual, strict=True):
        np.testing.assert_allclose(nested(one)[there], other[there], atol=1 / 32 + 1e-4)
        assert there.mean() > 0.5


def test_all_odds_of_a_storm_go_where_its_picture_goes() -> None:
    history, model = storm(), forecaster(slope=60)
    missing = np.isnan(history.rain_rate[-1])
    picture, likely = model.forecast(history, 6).rain_rate[-1], model.probabilities(history, 6, [1.0])[0, -1]
    heavy, dry = picture >= 2, picture < 0.1
    assert likely[heavy & ~missing].mean() > 0.7
    assert likely[dry & ~missing].mean() < 0.1


def test_the_network_reads_the_base_of_each_lead_with_its_lead_time() -> None:
    model = forecaster()
    model.forecast(storm(), 2)
    read = model.step.read  # type: ignore[attr-defined]
    assert len(read) == 5 + 2
    assert [float(frame[0, 2].max()) for frame in read] == pytest.approx([0, 0, 0, 0, 0, 5 / 60, 10 / 60])
    for frame in read:
        np.testing.assert_array_equal(frame[0, 3, :64, :72], read[4][0, 0, :64, :72])  # the last observed frame


def test_it_is_one_that_says_probabilities_and_has_no_members() -> None:
    assert isinstance(forecaster(), ProbabilityForecaster)
    assert not isinstance(forecaster(), EnsembleForecaster)


@pytest.mark.parametrize(
    ("slopes", "offsets"), [((), ()), (((1.0,),), ((1.0,), (1.0,))), (((1.0, 2.0),), ((1.0,),)), (((),), ((),))]
)
def test_a_dressing_without_a_shape_is_refused(slopes: tuple[tuple[float]], offsets: tuple[tuple[float]]) -> None:
    with pytest.raises(ValueError, match="leads by thresholds"):
        Dressing(slopes=slopes, offsets=offsets)


@pytest.mark.parametrize("dressing", [None, {"slopes": ((1.0,),), "offsets": ((0.0,),)}])
def test_a_card_without_the_dressing_of_its_thresholds_is_refused(dressing: dict[str, object] | None) -> None:
    content = forecaster().card.model_dump() | {"dressing": dressing}
    with pytest.raises(ValueError, match="expected a dressing of 5 thresholds"):
        ModelCard.model_validate(content)
