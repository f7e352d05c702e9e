"""Losses over frames in network units, as sums over known pixels with their divisors.

Sums let parts of a batch on several workers add up to the loss of the whole batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from models.network import Network, Teacher, roll_out_with_penalties
from radar.rain import RainScaling
from radar.scores.balanced import BALANCED_FROM, BALANCED_WEIGHTS
from training.config.config import FitConfig, LossConfig
from training.fit.batches import Batch


def loss_sum(predicted: Tensor, observed: Tensor, known: Tensor, config: LossConfig, scaling: RainScaling) -> Tensor:
    """The sum of the loss `config.name` over known pixels; all arguments are (K, B, 1, H, W).

    - "pinball" (Koenker and Bassett, 1978, doi:10.2307/1913643): with a quantile above 0.5 underestimated rain costs
      more than overestimated rain; pixels weigh 1 + rain_weight x observed.
    - "mse+mae": squared plus absolute error, as in the MS-RNN paper.
    - "balanced": the same, weighted by the rain rate (Shi et al., 2017, arXiv:1706.03458).
    """
    if config.name == "pinball":
        error = _error(predicted, observed, scaling, config.dry_slack)
        loss = _pinball(error, config.quantile) * (1 + config.rain_weight * observed)
    else:
        error = observed - predicted
        loss = error.square() + error.abs()
    if config.name == "balanced":
        loss = loss * _balanced_weight(observed, scaling)
    return (loss * known).sum()


def loss_divisor(known: Tensor, config: LossConfig) -> float:
    """The divisor of the sum: known pixels; for "mse+mae", like its authors, the frames of the batch."""
    if config.name == "mse+mae":
        return float(known.shape[0] * known.shape[1])
    return float(known.sum())


def mean_loss(predicted: Tensor, observed: Tensor, known: Tensor, config: LossConfig, scaling: RainScaling) -> Tensor:
    """The loss of a whole batch; 0 without known pixels."""
    return loss_sum(predicted, observed, known, config, scaling) / max(1.0, loss_divisor(known, config))


def decoupling(penalties: Tensor) -> Tensor:
    """PredRNN-V2's decoupling loss (Wang et al., 2021, arXiv:2103.09504) of similarities (T, layers, B, C).

    Summed over layers and channels, averaged over time and batch.
    """
    return penalties.sum(dim=(1, 3)).mean()


def _error(predicted: Tensor, observed: Tensor, scaling: RainScaling, dry_slack: float) -> Tensor:
    """Observation minus prediction, where outputs that a forecast would not show as rain count as dry.

    Most pixels are dry. If a network's output for them had to be exactly 0, and not just too small to count, it would
    learn little else. A slack below 1 keeps outputs away from the limit of visible rain: training settles where dry
    pixels begin to cost, and with a slack of 1 the smallest change from there shows rain everywhere.
    """
    shown = float(scaling.to_network(scaling.dry_below))
    free = torch.where(observed < shown, dry_slack * shown, -math.inf)
    return torch.maximum(observed, free) - torch.maximum(predicted, free)


def _pinball(error: Tensor, quantile: float) -> Tensor:
    return (quantile - (error < 0).to(error.dtype)) * error


def _balanced_weight(observed: Tensor, scaling: RainScaling) -> Tensor:
    limits = torch.from_numpy(scaling.to_network(torch.tensor(BALANCED_FROM).numpy())).to(observed)
    return torch.tensor(BALANCED_WEIGHTS).to(observed)[torch.bucketize(observed.contiguous(), limits, right=True)]


def batch_divisor(batch: Batch, config: FitConfig) -> float:
    """The divisor of `batch_loss_sum`; the divisors of all parts of a batch add up."""
    return loss_divisor(_judged_by(batch, config)[1], config.loss)


def batch_loss_sum(network: Network, batch: Batch, config: FitConfig) -> tuple[Tensor, Tensor | None]:
    """The sum of the loss over the frames that count, and the decoupling loss if the cells have one."""
    observed, known = _judged_by(batch, config)
    teacher = Teacher(batch.targets, batch.known, batch.reads)
    with torch.autocast(batch.frames.device.type, torch.bfloat16, enabled=config.optimiser.bfloat16):
        answer = roll_out_with_penalties(network, batch.frames, len(batch.base), batch.base, teacher)
    predicted = answer.outputs[-len(observed) :].float()
    loss = loss_sum(predicted, observed, known, config.loss, config.framing.scaling)
    return loss, None if answer.penalties is None else decoupling(answer.penalties.float())


def _judged_by(batch: Batch, config: FitConfig) -> tuple[Tensor, Tensor]:
    """The frames that predictions are compared with, and where they are known."""
    if config.loss.frames == "forecast":
        return batch.targets, batch.known
    return torch.cat([batch.frames[1:, :, :1], batch.targets]), torch.cat([batch.frames_known[1:], batch.known])
