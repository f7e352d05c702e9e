from __future__ import annotations

from typing import Any

import pytest
import torch

from radar.rain import RainScaling
from training.config.config import LossConfig
from training.fit.losses import decoupling, loss_divisor, loss_sum, mean_loss


def frames(*values: float) -> torch.Tensor:
    return torch.tensor(values)[None, None, None, None]


def loss(predicted: torch.Tensor, observed: torch.Tensor, known: torch.Tensor, **settings: Any) -> float:
    return mean_loss(predicted, observed, known, LossConfig(**settings), RainScaling()).item()


def test_hand_worked_pinball() -> None:
    predicted, observed, known = frames(-0.5, 0.9, 5), frames(0.5, 0.4, 0), frames(1, 1, 0).bool()
    # too low by 1 costs 0.6, too high by 0.5 costs 0.2; the unknown pixel costs nothing
    assert loss(predicted, observed, known, quantile=0.6) == pytest.approx(0.4)
    # and with weights 1 + 2 * 0.5 and 1 + 2 * 0.4
    assert loss(predicted, observed, known, quantile=0.6, rain_weight=2.0) == pytest.approx((2 * 0.6 + 1.8 * 0.2) / 2)


def test_what_is_too_little_to_be_shown_is_right_where_it_is_dry() -> None:
    config = LossConfig(name="pinball", quantile=0.6)
    dry = float(RainScaling().to_network(RainScaling().dry_below))
    observed = frames(0.0, 0.0, 0.0, 0.0)
    silent = frames(-3.0, 0.0, 0.5 * dry, dry).requires_grad_()
    nothing = mean_loss(silent, observed, torch.ones_like(observed).bool(), config, RainScaling())
    nothing.backward()  # type: ignore[no-untyped-call]
    assert nothing.item() == 0
    assert silent.grad is not None
    assert not silent.grad[..., :3].any()
    # drizzle costs by how much of it is shown, and rain that was missed pulls however dry it was said to be
    drizzle = mean_loss(frames(dry + 0.1), frames(0.0), frames(1).bool(), config, RainScaling())
    assert drizzle.item() == pytest.approx(0.04)
    missed = frames(-3.0).requires_grad_()
    mean_loss(missed, frames(0.9), frames(1).bool(), config, RainScaling()).backward()  # type: ignore[no-untyped-call]
    assert missed.grad is not None
    assert (missed.grad < 0).all()


def test_with_less_slack_a_dry_pixel_costs_before_it_is_shown() -> None:
    dry = float(RainScaling().to_network(RainScaling().dry_below))
    said, observed = frames(0.5 * dry, 0.8 * dry, 2 * dry), frames(0.0, 0.0, 0.0)
    cost = loss(said, observed, torch.ones_like(observed).bool(), quantile=0.6, dry_slack=0.5)
    assert cost == pytest.approx(0.4 * (0 + 0.3 + 1.5) * dry / 3)
    # wet pixels know no slack
    said, observed, known = frames(0.7), frames(0.9), frames(1).bool()
    assert loss(said, observed, known, quantile=0.6, dry_slack=0.5) == pytest.approx(0.6 * 0.2)


@pytest.mark.parametrize("slack", [-0.1, 1.1])
def test_a_slack_is_a_part(slack: float) -> None:
    with pytest.raises(ValueError, match="dry_slack of 0 or more, up to 1"):
        LossConfig(dry_slack=slack)


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


EACH = [LossConfig(name="pinball"), LossConfig(name="mse+mae"), LossConfig(name="balanced")]


@pytest.mark.parametrize("config", EACH, ids=lambda config: config.name)
def test_parts_of_a_batch_add_up_to_the_whole(config: LossConfig) -> None:
    generator = torch.Generator().manual_seed(1)
    predicted, observed = (torch.rand(3, 4, 1, 5, 6, generator=generator) for _ in range(2))
    known = torch.rand(3, 4, 1, 5, 6, generator=generator) > 0.3
    scaling = RainScaling()
    parts = [slice(0, 1), slice(1, 4)]
    total = sum(loss_sum(predicted[:, p], observed[:, p], known[:, p], config, scaling).item() for p in parts)
    divisor = sum(loss_divisor(known[:, p], config) for p in parts)
    assert total / divisor == pytest.approx(mean_loss(predicted, observed, known, config, scaling).item(), rel=1e-5)


@pytest.mark.parametrize("config", EACH, ids=lambda config: config.name)
def test_nothing_known_costs_nothing(config: LossConfig) -> None:
    assert mean_loss(frames(1, 2), frames(0, 0), frames(0, 0).bool(), config, RainScaling()).item() == 0


def test_decoupling_is_summed_over_layers_and_channels_and_averaged_over_time_and_batch() -> None:
    assert decoupling(torch.full((5, 6, 2, 8), 0.5)).item() == pytest.approx(6 * 8 * 0.5)
