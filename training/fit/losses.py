"""Losses over frames in network units or over log-odds, as sums over known pixels and what to divide them by.

Sums let parts of a batch on several workers add up to the loss of the whole batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from models.exceedance.dressing import FIRST_SLOPE
from models.network import Network, RollOut, Teacher, read_bases, roll_out, roll_out_with_penalties
from models.spec import NetworkSpec
from radar.rain import RainScaling
from radar.scores.balanced import BALANCED_FROM, BALANCED_WEIGHTS
from training.config.config import FitConfig, LossConfig
from training.fit.batches import Batch

_ROUNDING = 1e-3
"""Network units by which a rate that reaches a threshold may fall short of it in half precision (0.05 dB)."""


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


def log_odds(network: Network, batch: Batch, config: FitConfig) -> RollOut:
    """The log-odds (leads, B, thresholds, H, W) of a batch: the dressed base and what the network adds."""
    answer = read_bases(network, batch.frames, _base_inputs(batch, config))
    assert network.dressing is not None  # noqa: S101
    dressed = network.dressing(batch.base, units_of(network.spec, config.framing.scaling).to(batch.base))
    return RollOut(dressed + answer.outputs.float(), answer.penalties)


def base_log_odds(batch: Batch, config: FitConfig) -> Tensor:
    """The same of the base alone, dressed as before any training."""
    units = units_of(config.network, config.framing.scaling).to(batch.base)
    return FIRST_SLOPE * (batch.base - units[:, None, None])


def units_of(spec: NetworkSpec, scaling: RainScaling) -> Tensor:
    """The thresholds in network units."""
    return torch.from_numpy(scaling.to_network(spec.thresholds))


def exceedance_sum(
    log_odds: Tensor, observed: Tensor, known: Tensor, units: Tensor, shares: tuple[float, ...]
) -> Tensor:
    """The sum over known pixels of the cross-entropy, averaged over thresholds.

    Each threshold counts in parts of its climatological entropy, so that 1 is the loss of a forecast that always gives
    the climatological share of pixels at or above it.

    Parameters
    ----------
    log_odds : Tensor (leads, B, K, H, W)
    observed, known : Tensor (leads, B, 1, H, W)
        Network units, and where they are known.
    units : Tensor (K,)
        Thresholds in network units.
    shares : tuple of float
        Climatological shares of pixels at or above each threshold.
    """
    happened = (observed >= units[:, None, None] - _ROUNDING).to(log_odds.dtype)
    entropy = F.binary_cross_entropy_with_logits(log_odds, happened, reduction="none") * known
    weights = [1 / (len(shares) * _entropy(share)) for share in shares]
    return (entropy.sum(dim=(0, 1, 3, 4)) * torch.tensor(weights).to(log_odds)).sum()


def _entropy(share: float) -> float:
    return -(share * math.log(share) + (1 - share) * math.log(1 - share))


def _base_inputs(batch: Batch, config: FitConfig) -> Tensor:
    """The base of each lead as `models.spec.EXCEEDANCE_INPUTS`, (leads, B, 4, H, W)."""
    last, coverage = batch.frames[-1:, :, :1], batch.frames[-1:, :, 1:2]
    phases = [config.framing.phase(lead) for lead in range(1, len(batch.base) + 1)]
    phase = torch.tensor(phases).to(batch.base)[:, None, None, None, None].expand_as(batch.base)
    return torch.cat([batch.base, coverage.expand_as(batch.base), phase, last.expand_as(batch.base)], dim=2)


def validation_loss(network: Network, batch: Batch, config: FitConfig) -> float:
    """The loss of the forecast frames of a batch, read as in a forecast."""
    with torch.no_grad():
        if config.network.output == "exceedance":
            return _mean_exceedance(log_odds(network, batch, config).outputs, batch, config)
        predicted = roll_out(network, batch.frames, len(batch.base), batch.base)[-len(batch.base) :]
        return mean_loss(predicted, batch.targets, batch.known, config.loss, config.framing.scaling).item()


def base_loss(batch: Batch, config: FitConfig) -> float:
    """The loss of what the network's outputs are added to: it has to be beaten."""
    if config.network.output == "exceedance":
        return _mean_exceedance(base_log_odds(batch, config), batch, config)
    return mean_loss(batch.base, batch.targets, batch.known, config.loss, config.framing.scaling).item()


def _mean_exceedance(odds: Tensor, batch: Batch, config: FitConfig) -> float:
    return _exceedance(odds, batch, config).item() / max(1.0, loss_divisor(batch.known, config.loss))


def _exceedance(odds: Tensor, batch: Batch, config: FitConfig) -> Tensor:
    units = units_of(config.network, config.framing.scaling).to(odds)
    return exceedance_sum(odds, batch.targets, batch.known, units, config.loss.shares)


def batch_loss_sum(network: Network, batch: Batch, config: FitConfig) -> tuple[Tensor, Tensor | None]:
    """The sum of the loss over the frames that count, and the decoupling loss where the cells have one."""
    if config.network.output == "exceedance":
        with torch.autocast(batch.frames.device.type, torch.bfloat16, enabled=config.optimiser.bfloat16):
            answer = log_odds(network, batch, config)
        loss = _exceedance(answer.outputs.float(), batch, config)
        return loss, None if answer.penalties is None else decoupling(answer.penalties.float())
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
