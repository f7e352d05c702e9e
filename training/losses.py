"""Losses over forecast frames in network units, on the pixels that are known."""

from __future__ import annotations

from torch import Tensor

from training.config import LossConfig


def pinball(predicted: Tensor, observed: Tensor, known: Tensor, config: LossConfig) -> Tensor:
    """Mean pinball loss (Koenker and Bassett, 1978, doi:10.2307/1913643), weighted by the observed rain.

    A quantile above 0.5 makes dimming the rain dearer than brightening it. All arguments have one shape; pixels
    where `known` is false do not count.
    """
    error = observed - predicted
    loss = (config.quantile - (error < 0).to(error.dtype)) * error
    weight = (1 + config.rain_weight * observed) * known
    return (loss * weight).sum() / known.sum().clamp(min=1)


def decoupling(penalties: Tensor) -> Tensor:
    """PredRNN-V2's decoupling loss (Wang et al., 2021, arXiv:2103.09504) of similarities (T, layers, B, C).

    Summed over layers and channels, averaged over time and batch.
    """
    return penalties.sum(dim=(1, 3)).mean()
