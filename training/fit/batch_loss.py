"""The loss of a network on a batch, as a sum and what to divide it by."""

from __future__ import annotations

import torch
from torch import Tensor

from models.network import Network, Teacher, roll_out_with_penalties
from training.config.config import FitConfig
from training.fit.batches import Batch
from training.fit.losses import decoupling, loss_divisor, loss_sum


def batch_divisor(batch: Batch, config: FitConfig) -> float:
    """What `batch_loss_sum` is to be divided by, the divisors of all parts of a batch added up."""
    return loss_divisor(_judged_by(batch, config)[1], config.loss)


def batch_loss_sum(network: Network, batch: Batch, config: FitConfig) -> tuple[Tensor, Tensor | None]:
    """The sum of the loss over the frames that count, and the decoupling loss where the cells have one."""
    observed, known = _judged_by(batch, config)
    teacher = Teacher(batch.targets, batch.known, batch.reads)
    with torch.autocast(batch.frames.device.type, torch.bfloat16, enabled=config.optimiser.bfloat16):
        answer = roll_out_with_penalties(network, batch.frames, len(batch.base), batch.base, teacher)
    predicted = answer.outputs[-len(observed) :].float()
    loss = loss_sum(predicted, observed, known, config.loss, config.framing.scaling)
    return loss, None if answer.penalties is None else decoupling(answer.penalties.float())


def _judged_by(batch: Batch, config: FitConfig) -> tuple[Tensor, Tensor]:
    """Frames that predictions are compared with, and where they are known."""
    if config.loss.frames == "forecast":
        return batch.targets, batch.known
    return torch.cat([batch.frames[1:, :, :1], batch.targets]), torch.cat([batch.seen[1:], batch.known])
