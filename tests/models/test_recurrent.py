from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from models.baselines import Extrapolation, Persistence, SmoothedExtrapolation
from models.card import ModelCard, StateShape
from models.forecaster import Forecaster
from models.framing import Framing
from models.network import Network, roll_out
from models.recurrent import RecurrentForecaster
from models.recurrent import roll_out as roll_out_steps
from models.spec import MULTI_SCALE, NetworkSpec
from models.zoo import build
from radar.errors import GridMismatch, IncompleteHistory, InvalidRequest
from radar.grid import Grid
from radar.rain import RainScaling
from radar.sequence import FrameSequence
from radar.synthetic import Weather, storm_sequence
from training.export.torch_step import TorchStep

SPEC = NetworkSpec("convlstm", MULTI_SCALE, channels=4, patch=2, inputs=("rain", "coverage"))


def network(*, zero: bool = False) -> Network:
    torch.manual_seed(0)
    made = build(SPEC)
    if zero:
        made.zero_head()
    return made


def card(**changes: object) -> ModelCard:
    fields = {
        "name": "test",
        "version": "1",
        "spec": SPEC,
        "timestep_minutes": 5,
        "pixel_size_km": 1.0,
        "input_length": 5,
        "longest_lead_minutes": 120,
        "scaling": RainScaling(),
        "coordinates": "lagrangian",
        "base": "smoothed",
        "states": tuple(StateShape(name=s.name, channels=s.channels, scale=s.scale) for s in network().states),
        "pad_multiple": SPEC.pad_multiple,
        "tolerances": {"cpu": 1e-5},
    }
    return ModelCard.model_validate(fields | changes)


def history(frames: int = 6, **weather: float) -> FrameSequence:
    return storm_sequence(
        Grid("test", (75, 90), 1.0),
        frames,
        seed=2,
        end_time=datetime(2026, 1, 1, tzinfo=UTC),
        product="RY",
        weather=Weather(**{"wet_fraction": 0.3, "missing_sector": True} | weather),  # type: ignore[arg-type]
    )


FORECASTERS: list[Forecaster] = [
    Persistence(),
    Extrapolation(),
    SmoothedExtrapolation(),
    RecurrentForecaster(card(), TorchStep(network())),
    RecurrentForecaster(card(coordinates="eulerian", base="none"), TorchStep(network())),
]


@pytest.mark.parametrize("forecaster", FORECASTERS, ids=lambda f: f.name)
class TestEveryForecaster:
    """What callers rely on, whoever forecasts."""

    def test_frames_follow_the_history(self, forecaster: Forecaster) -> None:
        past = history()
        forecast = forecaster.forecast(past, 4)
        assert forecast.rain_rate.shape == (4, 75, 90)
        assert forecast.rain_rate.dtype == np.float32
        assert forecast.reference_time == past.valid_times[-1]
        assert forecast.lead_minutes == (5, 10, 15, 20)
        assert (forecast.grid, forecast.product) == (past.grid, "RY")

    def test_no_forecast_where_there_is_no_data(self, forecaster: Forecaster) -> None:
        past = history()
        missing = np.isnan(past.rain_rate[-1])
        assert missing.any()
        forecast = forecaster.forecast(past, 4).rain_rate
        assert np.isnan(forecast[:, missing]).all()
        assert np.isfinite(forecast[0][~missing]).mean() > 0.9

    def test_all_missing_stays_missing(self, forecaster: Forecaster) -> None:
        past = history()
        empty = replace(past, rain_rate=np.full_like(past.rain_rate, np.nan))
        assert np.isnan(forecaster.forecast(empty, 2).rain_rate).all()

    def test_too_few_frames_are_named(self, forecaster: Forecaster) -> None:
        if forecaster.input_length == 1:
            return
        with pytest.raises(IncompleteHistory, match="expected 5 frames, 5 minutes apart, got 3"):
            forecaster.forecast(history(3), 4)

    def test_only_the_newest_frames_count(self, forecaster: Forecaster) -> None:
        past = history()
        recent = forecaster.forecast(past.last(forecaster.input_length), 2).rain_rate
        np.testing.assert_array_equal(forecaster.forecast(past, 2).rain_rate, recent)

    def test_a_shorter_forecast_begins_the_longer_one(self, forecaster: Forecaster) -> None:
        past = history()
        np.testing.assert_array_equal(
            forecaster.forecast(past, 6).rain_rate[:2], forecaster.forecast(past, 2).rain_rate
        )


@pytest.mark.parametrize("forecaster", FORECASTERS[:3], ids=lambda f: f.name)
def test_dry_in_dry_out(forecaster: Forecaster) -> None:
    assert np.nanmax(forecaster.forecast(history(wet_fraction=0.0), 3).rain_rate) == 0


def test_an_untrained_lagrangian_model_is_smoothed_extrapolation() -> None:
    model = RecurrentForecaster(card(), TorchStep(network(zero=True)))
    ours, control = (f.forecast(history(), 12).rain_rate for f in (model, SmoothedExtrapolation()))
    known = np.isfinite(ours) & np.isfinite(control)
    # apart from rates that the network's units call dry
    np.testing.assert_allclose(ours[known], control[known], rtol=1e-3, atol=0.06)


def test_steps_and_whole_network_roll_out_alike() -> None:
    frames, base = np.random.default_rng(0).random((2, 3, 2, 2, 19, 21), np.float32)[0], np.zeros((4, 2, 1, 19, 21))
    made = network()
    with torch.no_grad():
        whole = roll_out(made, torch.from_numpy(frames), 4)[-4:].numpy()
    stepped = np.stack(list(roll_out_steps(TorchStep(made), frames, base.astype(np.float32), SPEC.pad_multiple)))
    np.testing.assert_allclose(stepped, whole, atol=1e-6)


def test_predictions_are_all_that_the_whole_network_says() -> None:
    made, past = network(), history()
    model = RecurrentForecaster(card(coordinates="eulerian", base="none"), TorchStep(made))
    rain = past.last(5).rain_rate
    frames = model.card.framing.channels(rain, SPEC.inputs)[:, None]
    with torch.no_grad():
        whole = roll_out(made, torch.from_numpy(frames), 3).clamp(0, 1)[:, 0, 0].numpy()
    said = model.predictions(past, 3)
    assert said.shape == (4 + 3, 75, 90)
    np.testing.assert_allclose(said, whole, atol=1e-6)


def test_what_a_model_was_not_made_for_is_refused() -> None:
    model, past = RecurrentForecaster(card(), TorchStep(network())), history()
    with pytest.raises(GridMismatch, match=r"pixels of 1 km for model test, got 0\.5 km"):
        model.forecast(replace(past, grid=Grid("fine", (75, 90), 0.5)), 2)
    with pytest.raises(InvalidRequest, match="1 to 24 steps"):
        model.forecast(past, 25)
    ten_minutes = FrameSequence(past.rain_rate[::2], past.valid_times[::2], past.grid, 10)
    with pytest.raises(IncompleteHistory, match="got 10 minutes apart"):
        model.forecast(ten_minutes, 2)


def test_coverage_and_rain_channels() -> None:
    rain = np.array([[[np.nan, 0.0, 1.0]]], np.float32)
    channels = Framing().channels(rain, ("rain", "coverage"))
    np.testing.assert_allclose(channels, np.array([[[[0, 0, 0.48689]], [[0, 1, 1]]]]), atol=1e-5)
    assert Framing().channels(rain, ("rain",)).shape == (1, 1, 1, 3)


@pytest.mark.parametrize("changes", [{}, {"coordinates": "eulerian", "base": "none"}], ids=["lagrangian", "eulerian"])
def test_a_batch_forecasts_each_history_as_alone(changes: dict[str, object]) -> None:
    model = RecurrentForecaster(card(**changes), TorchStep(network()))
    pasts = [history(), history(6, wet_fraction=0.7), history(5)]
    together = model.forecast_batch(pasts, 3)
    for past, forecast in zip(pasts, together, strict=True):
        alone = model.forecast(past, 3)
        assert forecast.valid_times == alone.valid_times
        np.testing.assert_allclose(forecast.rain_rate, alone.rain_rate, rtol=1e-4, atol=1e-4)
        assert forecast.rain_rate.base is None


def test_a_batch_has_one_shape_and_the_shapes_are_remembered() -> None:
    model = RecurrentForecaster(card(), TorchStep(network()))
    small = replace(history(), rain_rate=history().rain_rate[:, :40], grid=Grid("small", (40, 90), 1.0))
    with pytest.raises(GridMismatch, match=r"75x90 pixels.*got 40x90"):
        model.forecast_batch([history(), small], 1)
    model.forecast_batch([history(), history()], 1)
    for past in (small, history(), small):
        model.forecast(past, 1)
    assert model.recent_shapes == ((2, 75, 90), (1, 75, 90), (1, 40, 90))
    model.warm_up((2, 75, 90))
