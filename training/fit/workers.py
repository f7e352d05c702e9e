"""One of several workers that train together, started by `torchrun`; or the only one."""

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
class Rank:
    """A process among `count` that train together; only number 0 writes files and shows progress."""

    number: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")
    restarts: int = 0
    """How often torchrun has restarted workers after one died: the highest count among its nodes."""
    job: str = ""
    """torchrun's name for all its workers and their restarts; "" without torchrun."""

    @property
    def leads(self) -> bool:
        """Whether this worker writes files."""
        return self.number == 0

    def share(self, size: int) -> range:
        """The worker's share of `size` samples or batches."""
        return range(self.number, size, self.count)

    def total(self, value: float) -> float:
        """The sum of a number over all workers."""
        if self.count == 1:
            return value
        number = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.all_reduce(number)
        return float(number)

    def gathered(self, values: dict[int, float]) -> dict[int, float]:
        """The values of all workers, in order of their numbers, so that their sum does not depend on the sharing."""
        if self.count > 1:
            parts: list[dict[int, float]] = [{} for _ in range(self.count)]
            distributed.all_gather_object(parts, values)
            values = {key: value for part in parts for key, value in part.items()}
        return dict(sorted(values.items()))

    def broadcast(self, value: T) -> T:
        """The first worker's value, sent to all workers."""
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
        """Wait until all workers have reached this point."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def joined() -> Iterator[Rank]:
    """The rank of this process, from torchrun's environment; workers communicate by NCCL on GPUs, else by gloo.

    A nested `joined` yields the same rank.
    """
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if torch.cuda.is_available() else _CPU
    if "RANK" not in os.environ:
        yield Rank(device=device)
        return
    if distributed.is_initialized():
        yield _this_rank(device)
        return
    _begin_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield _this_rank(device)
    finally:
        distributed.destroy_process_group()


def _begin_group(backend: str) -> None:
    """Join the others.

    torchrun keeps one store for all its restarts, including the addresses of workers that are dead by now. Using these
    would end in a refused connection, or in a deadlock. The living workers therefore agree on a part of the store that
    was not used before.
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
    """A name that all living workers agree on, independent of entries that dead ones have left in the store.

    Each worker stores a new word under its number, reads the list of all words, and signs every new list that it reads.
    A list that all have signed contains no old word, since dead workers sign nothing.
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


def _this_rank(device: torch.device) -> Rank:
    # Each node counts its own restarts: a node whose workers only restart along with others counts none.
    restarts = torch.tensor(int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")), device=device)
    distributed.all_reduce(restarts, distributed.ReduceOp.MAX)
    job = os.environ.get("TORCHELASTIC_RUN_ID", "")
    return Rank(distributed.get_rank(), distributed.get_world_size(), device, int(restarts), job)


_CPU = torch.device("cpu")
_PATIENCE = timedelta(hours=6)
"""Time-out of workers, which wait while the first one makes a data set."""
_MEETING_SECONDS = 0.1
"""Seconds between two reads of the store."""
