"""Fields that say little: whatever a network states of them, dry stays dry and rain does not multiply."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import models.recurrent
from models.card import ModelCard, StateShape
from models.framing import Framing
from models.onnx_forecaster import load_forecaster
from models.recurrent import MOST_GROWTH, RecurrentForecaster
from models.repository import PRETRAINED, champions
from models.spec import NetworkSpec
from radar.errors import ArtifactRejected
from radar.files.open import open_sequence
from radar.grid import Grid
from radar.rain import RainScaling
from radar.sequence import Float32
from training.evaluate.score_event import part
from training.export.sound_numbers import check_sound_numbers


class Exaggerating:
    """A step that adds 14 dB to what it read; its state is nothing."""

    def start(self, batch: int, rows: int, columns: int) -> None:
        return None

    def __call__(self, frame: Float32, state: None) -> tuple[Float32, None]:
        return frame[:, :1] + np.float32(0.2), None

    def observe(self, frame: Float32, state: None) -> None:
        return self(frame, state)[1]


def forecaster(
    coordinates: Literal["eulerian", "lagrangian"] = "eulerian", base: Literal["none", "smoothed"] = "none"
) -> RecurrentForecaster:
    framing = Framing(input_length=3, coordinates=coordinates, base=base)
    card = ModelCard(
        name="exaggerating",
        version="1",
        spec=NetworkSpec("convlstm", channels=1, inputs=("rain",)),
        timestep_minutes=5,
        pixel_size_km=1.0,
        input_length=3,
        longest_lead_minutes=60,
        scaling=RainScaling(),
        coordinates=coordinates,
        base=base,
        smoothing=framing.smoothing,
        states=(StateShape(name="none", channels=1, scale=0),),
        pad_multiple=4,
        tolerances={"cpu": 1e-5},
    )
    return RecurrentForecaster(card, Exaggerating())


@pytest.mark.parametrize("coordinates", ["eulerian", "lagrangian"])
@pytest.mark.parametrize("base", ["none", "smoothed"])
def test_a_network_that_exaggerates_is_bounded(
    coordinates: Literal["eulerian", "lagrangian"], base: Literal["none", "smoothed"]
) -> None:
    told = check_sound_numbers(forecaster(coordinates, base))
    assert told.pop("dry") == 0
    assert {field.partition(" ")[2] for field in told} == {"mm/h everywhere", "mm/h in one covered pixel"}
    assert {field.partition(" ")[0] for field in told} == {"0.05", "1", "50"}
    assert all(value == pytest.approx(MOST_GROWTH, rel=1e-4) for value in told.values())


def test_without_the_bound_a_model_is_not_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.recurrent, "MOST_GROWTH", np.inf)
    with pytest.raises(ArtifactRejected, match=r"got .* for 1 mm/h everywhere, .* for 50 mm/h in one covered pixel"):
        check_sound_numbers(forecaster())


@pytest.mark.parametrize("name", sorted(champions(PRETRAINED)))
def test_the_bundled_models_are_sound(name: str) -> None:
    told = check_sound_numbers(load_forecaster(champions(PRETRAINED)[name], "cpu", threads=1))
    assert told["dry"] == 0
    assert max(told.values()) <= MOST_GROWTH


@pytest.mark.parametrize("event", ["mch_ch_20170131.nc", "dwd_yw_20170816.nc"])
def test_the_bound_takes_nothing_from_real_rain(event: str, real_data: Path) -> None:
    whole = open_sequence([real_data / "events" / event], observations_only=True)
    sequence = part(whole, len(whole) // 2, 5)
    rain = sequence.rain_rate[:, 250:450, 250:450]
    history = replace(sequence, rain_rate=rain, grid=Grid("part", rain.shape[1:], sequence.grid.pixel_size_km))
    assert np.nanmax(rain) > 5
    for path in champions(PRETRAINED).values():
        forecast = load_forecaster(path, "cpu", threads=1).forecast(history, 6).rain_rate
        assert np.nanmax(forecast) < 1.2 * np.nanmax(rain) < MOST_GROWTH * np.nanmax(rain)
