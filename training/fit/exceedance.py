"""The loss of forecasts as log-odds, and what a network that gives them reads and says of a batch."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from models.exceedance.dressing import FIRST_SLOPE
from models.network import Network, RollOut, read_bases
from models.spec import NetworkSpec
from radar.rain import RainScaling
from training.config.config import FitConfig
from training.fit.batches import Batch

_ROUNDING = 1e-3
"""Network units by which a rate that reaches a threshold may fall short of it in half precision (0.05 dB)."""


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
    return cast(Tensor, (entropy.sum(dim=(0, 1, 3, 4)) * torch.tensor(weights).to(log_odds)).sum())


def _entropy(share: float) -> float:
    return -(share * math.log(share) + (1 - share) * math.log(1 - share))


def _base_inputs(batch: Batch, config: FitConfig) -> Tensor:
    """The base of each lead as `models.spec.EXCEEDANCE_INPUTS`, (leads, B, 4, H, W)."""
    last, coverage = batch.frames[-1:, :, :1], batch.frames[-1:, :, 1:2]
    phases = [config.framing.phase(lead) for lead in range(1, len(batch.base) + 1)]
    phase = torch.tensor(phases).to(batch.base)[:, None, None, None, None].expand_as(batch.base)
    return torch.cat([batch.base, coverage.expand_as(batch.base), phase, last.expand_as(batch.base)], dim=2)
