from __future__ import annotations

from typing import Any

import numpy as np
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


BANDED = LossConfig(name="banded", rates=(1.0, 5.0), quantiles=(0.5, 0.6, 0.8), weights=(1.0, 2.0, 4.0))
EACH = [LossConfig(name="pinball"), LossConfig(name="mse+mae"), LossConfig(name="balanced"), BANDED]


def test_hand_worked_banded_loss() -> None:
    # a scaling in which 1 mm/h is 0.5 and 5 mm/h is 0.75 network units
    scaling = RainScaling(a=1.0, b=1.0, lowest_dbz=-20 * np.log10(5), highest_dbz=20 * np.log10(5))
    predicted, observed, known = frames(0.4, 0.9, 0), frames(0.95, 0.7, 1), frames(1, 1, 0).bool()
    # 0.55 too low: 0.1 below 1 mm/h, 0.25 between, 0.2 above; 0.2 too high: 0.05 between and 0.15 above
    too_low = 0.1 * 0.5 + 2 * 0.25 * 0.6 + 4 * 0.2 * 0.8
    too_high = 2 * 0.05 * 0.4 + 4 * 0.15 * 0.2
    assert mean_loss(predicted, observed, known, BANDED, scaling).item() == pytest.approx((too_low + too_high) / 2)


def test_one_band_is_a_pinball_loss() -> None:
    generator = torch.Generator().manual_seed(2)
    predicted, observed = (torch.rand(2, 3, 1, 4, 4, generator=generator) for _ in range(2))
    known = torch.rand(2, 3, 1, 4, 4, generator=generator) > 0.3
    one = loss(predicted, observed, known, name="banded", quantiles=(0.6,), weights=(1.0,))
    assert one == pytest.approx(loss(predicted, observed, known, quantile=0.6))


def test_the_best_for_the_banded_loss_exceeds_a_rate_where_the_odds_of_that_are_above_one_minus_its_quantile() -> None:
    # 6 mm/h with odds 0.3, else dry: enough for the quantile 0.8 of heavy rain, not for the 0.5 of light rain alone
    odds_of_rain = 0.3
    rain, dry = (torch.from_numpy(RainScaling().to_network(np.array([rate])))[None, None, None] for rate in (6, 0))

    def expected(forecast: float, config: LossConfig) -> float:
        costs = [mean_loss(frames(forecast), seen, frames(1).bool(), config, RainScaling()) for seen in (rain, dry)]
        return (odds_of_rain * costs[0] + (1 - odds_of_rain) * costs[1]).item()

    light = LossConfig(name="banded", rates=(1.0, 5.0), quantiles=(0.5, 0.5, 0.5), weights=(1.0, 1.0, 1.0))
    heavy = LossConfig(name="banded", rates=(1.0, 5.0), quantiles=(0.8, 0.8, 0.8), weights=(1.0, 1.0, 1.0))
    assert expected(rain.item(), light) > expected(0.0, light)
    assert expected(rain.item(), heavy) < expected(0.0, heavy)


def test_the_banded_loss_has_the_gradient_of_the_band_of_the_forecast() -> None:
    predicted = frames(0.2, 0.55, 0.9).requires_grad_()  # below 1 mm/h, between, and above 5 mm/h
    observed, known = frames(1, 1, 0), frames(1, 1, 1).bool()
    loss_sum(predicted, observed, known, BANDED, RainScaling()).backward()  # type: ignore[no-untyped-call]
    assert predicted.grad is not None
    assert predicted.grad.flatten().tolist() == pytest.approx([-0.5, -2 * 0.6, 4 * 0.2])


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


@pytest.mark.parametrize(
    "settings",
    [
        {"quantiles": (0.5,), "weights": (1.0, 1.0)},
        {},
        {"rates": (5.0, 1.0), "quantiles": (0.5,) * 3, "weights": (1.0,) * 3},
    ],
)
def test_bands_that_do_not_fit_are_refused(settings: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        LossConfig(name="banded", **settings)


def test_decoupling_is_summed_over_layers_and_channels_and_averaged_over_time_and_batch() -> None:
    assert decoupling(torch.full((5, 6, 2, 8), 0.5)).item() == pytest.approx(6 * 8 * 0.5)
