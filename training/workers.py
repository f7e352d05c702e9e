"""One worker of several that train together, as `torchrun` starts them; or the only one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed, nn

T = TypeVar("T")


@dataclass(frozen=True)
class Worker:
    """A process among `count` that train together; number 0 alone writes files and shows progress."""

    number: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")
    restarts: int = 0
    """How often torchrun has started the workers anew after one died."""

    @property
    def leads(self) -> bool:
        """Whether this is the worker that writes."""
        return self.number == 0

    def share(self, size: int) -> range:
        """Which of `size` samples or batches are this worker's."""
        return range(self.number, size, self.count)

    def total(self, value: float) -> float:
        """The sum of a number over all workers."""
        if self.count == 1:
            return value
        number = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.all_reduce(number)
        return float(number)

    def gathered(self, values: dict[int, float]) -> dict[int, float]:
        """The values of all workers, by number and in its order, so that they add up alike however they were shared."""
        if self.count > 1:
            parts: list[dict[int, float]] = [{} for _ in range(self.count)]
            distributed.all_gather_object(parts, values)
            values = {key: value for part in parts for key, value in part.items()}
        return dict(sorted(values.items()))

    def told(self, value: T) -> T:
        """What the first worker says, told to all."""
        if self.count == 1:
            return value
        words: list[T] = [value]
        distributed.broadcast_object_list(words)
        return words[0]

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its sum over all workers."""
        if self.count == 1:
            return
        gradients = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        for gradient, total in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(total.view_as(gradient))

    def wait(self) -> None:
        """Until all workers are here."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def joined() -> Iterator[Worker]:
    """The worker that this process is, by torchrun's environment; NCCL on GPUs, gloo without.

    Inside another `joined` it is the same worker.
    """
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else _CPU
    if "RANK" not in os.environ:
        yield Worker(device=device)
        return
    if distributed.is_initialized():
        yield _this_worker(device)
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield _this_worker(device)
    finally:
        distributed.destroy_process_group()


def _this_worker(device: torch.device) -> Worker:
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    return Worker(distributed.get_rank(), distributed.get_world_size(), device, restarts)


_CPU = torch.device("cpu")
_PATIENCE = timedelta(hours=6)
"""Of workers that wait while the first one makes a data set."""
