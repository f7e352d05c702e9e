"""Each of the sixteen models from its specification to an answer over HTTP."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
import pytest

from radar.grid import Grid
from radar.sequence import Float32, FrameSequence, times_after
from service.app import create_app
from service.settings import Settings
from tests.exported import SIXTEEN, Exported, exported
from tests.service.conftest import client_of, npy, rain
from training.export.card import make_card
from training.export.torch_step import torch_forecaster
from training.fit.checkpoint import load_checkpoint

SHAPE = (29, 43)
LEADS = 3


# From the last to the first: test_export.py, which may run at the same time, makes the first ones first.
@pytest.mark.parametrize("name", SIXTEEN[::-1])
def test_a_model_goes_from_specification_to_http(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    model = exported(name, tmp_path_factory)
    history = rain(3, SHAPE)
    with client_of(create_app(Settings(model_repository=model.repository))) as client:
        answers = [
            client.post(
                "/predict",
                params={"model": name, "lead_minutes": 5 * LEADS},
                content=npy(history),
                headers={"Content-Type": "application/x-npy", "Accept": accept},
            )
            for accept in ("application/json", "application/x-npy")
        ]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    told, array = answers
    assert (told.json()["model"], told.json()["version"]) == (name, "1")
    check_forecast(model, history, np.load(io.BytesIO(array.content)))


def check_forecast(model: Exported, history: Float32, answered: Float32) -> None:
    """The answer (LEADS, H, W) is what the trained network forecasts in torch, within its card's tolerance."""
    network, config, _ = load_checkpoint(model.checkpoint)
    card = make_card(network, config, "1")
    times = times_after(datetime(2026, 1, 1, tzinfo=UTC), 3, 5)
    past = FrameSequence(history, times, Grid("any", SHAPE, card.pixel_size_km), 5)
    expected = torch_forecaster(card, network).forecast(past, LEADS).rain_rate
    np.testing.assert_array_equal(np.isnan(answered), np.isnan(expected))
    assert np.nanmax(expected) > 0.1
    difference = card.scaling.to_network(answered) - card.scaling.to_network(expected)
    assert np.nanmax(np.abs(difference)) <= card.tolerances["cpu"]
