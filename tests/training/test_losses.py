from __future__ import annotations

from typing import Any

import pytest
import torch

from radar.rain import RainScaling
from training.config import LossConfig
from training.losses import decoupling, loss_divisor, loss_sum, mean_loss


def frames(*values: float) -> torch.Tensor:
    return torch.tensor(values)[None, None, None, None]


def loss(predicted: torch.Tensor, observed: torch.Tensor, known: torch.Tensor, **settings: Any) -> float:
    return mean_loss(predicted, observed, known, LossConfig(**settings), RainScaling()).item()


def test_hand_worked_pinball() -> None:
    predicted, observed, known = frames(0, 1, 5), frames(1, 0, 0), frames(1, 1, 0).bool()
    # too low by 1 costs 0.6, too high by 1 costs 0.4; the unknown pixel costs nothing
    assert loss(predicted, observed, known, quantile=0.6) == pytest.approx(0.5)
    # and with weight 1 + 2 * 1 for the rainy pixel: (3 * 0.6 + 0.4) / 2
    assert loss(predicted, observed, known, quantile=0.6, rain_weight=2.0) == pytest.approx(1.1)


def test_hand_worked_squared_plus_absolute_error_is_summed_over_pixels_and_averaged_over_frames() -> None:
    predicted, observed, known = frames(0, 0.5, 5), frames(1, 0, 0), frames(1, 1, 0).bool()
    assert loss(predicted, observed, known, name="mse+mae") == pytest.approx((1 + 1) + (0.25 + 0.5))
    twice = [torch.cat([each, each]) for each in (predicted, observed, known)]
    assert loss(*twice, name="mse+mae") == pytest.approx(2.75)


def test_hand_worked_balanced_loss() -> None:
    rates = torch.tensor([1.9, 2.0, 6.0, 10.0, 50.0])
    observed = torch.from_numpy(RainScaling().to_network(rates.numpy()))[None, None, None, None]
    error = 0.5
    expected = (1 + 2 + 5 + 10 + 30) * (error**2 + error) / 5
    assert loss(observed - error, observed, torch.ones_like(observed).bool(), name="balanced") == pytest.approx(
        expected
    )


@pytest.mark.parametrize("name", ["pinball", "mse+mae", "balanced"])
def test_parts_of_a_batch_add_up_to_the_whole(name: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    predicted, observed = (torch.rand(3, 4, 1, 5, 6, generator=generator) for _ in range(2))
    known = torch.rand(3, 4, 1, 5, 6, generator=generator) > 0.3
    config, scaling = LossConfig(name=name), RainScaling()
    parts = [slice(0, 1), slice(1, 4)]
    total = sum(loss_sum(predicted[:, p], observed[:, p], known[:, p], config, scaling).item() for p in parts)
    divisor = sum(loss_divisor(known[:, p], config) for p in parts)
    assert total / divisor == pytest.approx(mean_loss(predicted, observed, known, config, scaling).item(), rel=1e-5)


@pytest.mark.parametrize("name", ["pinball", "mse+mae", "balanced"])
def test_nothing_known_costs_nothing(name: Any) -> None:
    assert loss(frames(1, 2), frames(0, 0), frames(0, 0).bool(), name=name) == 0


def test_decoupling_is_summed_over_layers_and_channels_and_averaged_over_time_and_batch() -> None:
    assert decoupling(torch.full((5, 6, 2, 8), 0.5)).item() == pytest.approx(6 * 8 * 0.5)
