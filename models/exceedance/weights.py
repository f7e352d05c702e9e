"""The dressed base in torch, learnt together with the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.exceedance.dressing import FIRST_SLOPE, LEADS_DRESSED
from models.spec import NetworkSpec


class DressingWeights(nn.Module):
    """As `models.exceedance.dressing.Dressing`: a slope and an offset for each lead and threshold.

    Slopes are kept as logarithms, so that more rain in the base never lowers a probability.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        shape = (LEADS_DRESSED, len(spec.thresholds))
        self.log_slopes = nn.Parameter(torch.full(shape, FIRST_SLOPE).log())
        self.offsets = nn.Parameter(torch.zeros(shape))

    def forward(self, base: Tensor, thresholds: Tensor) -> Tensor:
        """Log-odds (leads, B, K, H, W) of a base (leads, B, 1, H, W) and thresholds (K,), both in network units."""
        leads = torch.arange(len(base)).clamp(max=LEADS_DRESSED - 1)
        slopes, offsets = (each[leads, None, :, None, None] for each in (self.log_slopes.exp(), self.offsets))
        return slopes * (base - thresholds[:, None, None]) + offsets
