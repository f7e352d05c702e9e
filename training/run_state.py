"""What a training run needs to go on exactly where it stopped."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from radar.durable import commit


class RunState(NamedTuple):
    """Everything that changes from iteration to iteration.

    All draws (crops, turns, outages, true frames read) are seeded by the iteration and the sample, so that there is no
    generator to be kept.
    """

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer


def save_state(path: Path, state: RunState, iteration: int, best: dict[str, float], digest: str) -> None:
    """Write the state after `iteration` by atomic rename; `digest` names the configuration."""
    content = {
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "iteration": iteration,
        "best": best,
        "digest": digest,
    }
    write_atomically(path, content)


def load_state(path: Path, state: RunState, digest: str) -> tuple[int, dict[str, float]]:
    """Put a saved state in place; gives its iteration and the best validation so far.

    Raises
    ------
    ValueError
        The file is no such state, or that of another configuration.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"expected the state of a run in {path.name}, got something else; begin a new run") from error
    if content["digest"] != digest:
        raise ValueError("expected the configuration that the run began with, got another; begin a new run with it")
    state.network.load_state_dict(content["network"])
    state.average.load_state_dict(content["average"])
    state.optimiser.load_state_dict(content["optimiser"])
    return int(content["iteration"]), dict(content["best"])


def write_atomically(path: Path, content: Any) -> None:  # noqa: ANN401
    """torch.save, so that a reader, or a run after a crash, sees the old file or the new one and never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    torch.save(content, temporary)
    commit(temporary, path)
