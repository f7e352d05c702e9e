"""One worker of several that train together, as `torchrun` starts them; or the only one."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

T = TypeVar("T")


@dataclass(frozen=True)
class Worker:
    """A process among `count` that train together; number 0 alone writes files and shows progress."""

    number: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")
    restarts: int = 0
    """How often torchrun has started workers anew after one died: the most that any of its nodes counts."""
    job: str = ""
    """What torchrun calls all its workers and all their restarts; "" without it."""

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
    _begin_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield _this_worker(device)
    finally:
        distributed.destroy_process_group()


def _begin_group(backend: str) -> None:
    """Join the others.

    torchrun keeps one store for all its restarts, and with it the addresses of workers that are dead by now: read
    from there they end in a refused connection, or in one that both sides wait for. So those who are alive agree on a
    part of the store that nobody has used before.
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        distributed.init_process_group(backend, timeout=_PATIENCE)
        return
    number, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(*address, count, is_master=False, timeout=_PATIENCE)
    ours = PrefixStore(agreed_name(store, number, count), store)
    distributed.init_process_group(backend, store=ours, rank=number, world_size=count, timeout=_PATIENCE)


def agreed_name(store: Store, number: int, count: int) -> str:
    """A name that all workers alive give to the same meeting, whatever dead ones have left in the store.

    Each puts down a new word under its number and signs the list of all words, as often as it reads another list.
    The list that all have signed has nobody's old word, for the dead sign nothing.
    """
    store.set(f"worker {number}", secrets.token_hex(16))
    signed = set()
    while True:
        words = store.multi_get([f"worker {other}" for other in range(count)])
        name = hashlib.sha256(b" ".join(words)).hexdigest()
        if name not in signed:
            store.add(name, 1)
            signed.add(name)
        if store.add(name, 0) == count:
            return name
        time.sleep(_MEETING_SECONDS)


def _this_worker(device: torch.device) -> Worker:
    # Nodes count apart: one whose workers were only asked to begin again counts no restart.
    restarts = torch.tensor(int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")), device=device)
    distributed.all_reduce(restarts, distributed.ReduceOp.MAX)
    job = os.environ.get("TORCHELASTIC_RUN_ID", "")
    return Worker(distributed.get_rank(), distributed.get_world_size(), device, int(restarts), job)


_CPU = torch.device("cpu")
_PATIENCE = timedelta(hours=6)
"""Of workers that wait while the first one makes a data set."""
_MEETING_SECONDS = 0.1
"""Between two looks at who has come."""
