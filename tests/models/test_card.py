from __future__ import annotations

import pytest
from pydantic import ValidationError

from models.card import ModelCard, StateShape
from models.spec import MULTI_SCALE, NetworkSpec
from radar.extrapolation.motion import Smoothing
from radar.rain import RainScaling

CARD = ModelCard(
    name="test",
    version="1",
    spec=NetworkSpec("convlstm", MULTI_SCALE, channels=4, patch=2, inputs=("rain", "coverage")),
    timestep_minutes=5,
    pixel_size_km=1.0,
    input_length=5,
    longest_lead_minutes=120,
    scaling=RainScaling(dry_below=0.1),
    coordinates="lagrangian",
    base="smoothed",
    smoothing=Smoothing(km_at_one_hour=4.0),
    states=(StateShape(name="layer0_h", channels=4, scale=0),),
    pad_multiple=8,
    tolerances={"cpu": 1e-5},
)


def test_a_card_survives_json_with_all_its_types() -> None:
    read = ModelCard.model_validate_json(CARD.model_dump_json())
    assert read == CARD
    assert isinstance(read.spec, NetworkSpec)
    assert read.scaling == RainScaling(dry_below=0.1)
    assert read.framing.smoothing.km_at_one_hour == 4.0


def test_a_card_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        CARD.name = "other"


@pytest.mark.parametrize(
    "change",
    [{"schema_version": 2}, {"coordinates": "polar"}, {"pixel_size_km": 0}, {"surprise": 1}, {"input_length": 0}],
)
def test_cards_of_another_form_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ModelCard.model_validate(CARD.model_dump() | change)
