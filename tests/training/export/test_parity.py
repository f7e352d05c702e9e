"""Parity of probabilities is that of what a network says, not of steps to which it is rounded afterwards."""

from __future__ import annotations

import numpy as np

from models.exceedance.forecaster import forecaster_of
from radar.sequence import Float32
from tests.models.exceedance.test_forecaster import Nothing, forecaster
from training.export.parity import LOG_ODDS, MM_PER_HOUR, _forecast_difference


class Slightly(Nothing):
    """A step that adds so much to some log-odds, and as much less to others."""

    def __init__(self, much: float) -> None:
        super().__init__()
        self._much = np.float32(much)

    def __call__(self, frame: Float32, state: None) -> tuple[Float32, None]:
        outputs, state = super().__call__(frame, state)
        noise = np.random.default_rng(len(self.read)).choice([-1, 1], outputs.shape)
        return outputs + self._much * noise.astype(np.float32), state


def test_log_odds_that_differ_by_little_are_alike_and_by_more_are_not() -> None:
    original = forecaster()
    for much, alike in ((LOG_ODDS / 10, True), (0.5, False)):
        exported = forecaster_of(original.card, Slightly(much))
        assert (_forecast_difference(exported, original) <= MM_PER_HOUR) is alike
