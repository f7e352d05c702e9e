"""A trained network as a forecaster, without an export."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from models.card import ModelCard
from models.exceedance.forecaster import forecaster_of
from models.network import Network
from models.recurrent import RecurrentForecaster
from radar.sequence import Float32


class TorchStep:
    """One recurrent step in PyTorch; satisfies `models.recurrent.Step`."""

    def __init__(self, network: Network) -> None:
        self._network = network.eval()

    def start(self, batch: int, rows: int, columns: int) -> tuple[Tensor, ...]:
        """States of zeros."""
        return self._network.initial_states(torch.zeros(batch, len(self._network.spec.inputs), rows, columns))

    @torch.no_grad()
    def __call__(self, frame: Float32, state: Sequence[Tensor]) -> tuple[Float32, tuple[Tensor, ...]]:
        """See `models.recurrent.Step`."""
        prediction, new = self._network(torch.from_numpy(np.ascontiguousarray(frame)), state)
        return prediction.numpy(), new

    @torch.no_grad()
    def observe(self, frame: Float32, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """See `models.recurrent.Step`."""
        return self._network.observe(torch.from_numpy(np.ascontiguousarray(frame)), state)[0]


def torch_forecaster(card: ModelCard, network: Network) -> RecurrentForecaster:
    """The forecaster of a network in memory."""
    return forecaster_of(card, TorchStep(network))
