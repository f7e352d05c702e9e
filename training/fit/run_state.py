"""The state of a training run, from which it continues exactly."""

from __future__ import annotations

import io
import json
import os
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from radar.system.durable import commit
from training.config.config import FitConfig, make_config
from training.config.resume import check_goes_on


class RunState(NamedTuple):
    """Everything that changes from iteration to iteration.

    All draws (crops, turns, outages, true frames read) are seeded by the iteration and the sample, so that no generator
    has to be kept.
    """

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer


class Lengthened(NamedTuple):
    """A lengthening of a run: the last iteration before it, and the numbers of iterations before and after."""

    after: int
    before: int
    now: int


class Progress(NamedTuple):
    """The progress of a run: the last finished iteration, the best validation so far, and its lengthenings."""

    iteration: int
    best: dict[str, float]
    lengthened: tuple[Lengthened, ...] = ()


def save_state(path: Path, state: RunState, progress: Progress, config: FitConfig) -> None:
    """Write the state after an iteration by atomic rename."""
    content = {
        "network": state.network.state_dict(),
        "average": state.average.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "iteration": progress.iteration,
        "best": progress.best,
        "digest": config.sha256,
        "config": json.dumps(asdict(config)),
        "lengthened": [list(each) for each in progress.lengthened],
    }
    write_atomically(path, content)


def load_state(path: Path, state: RunState, config: FitConfig) -> Progress:
    """Restore a saved state; `config` may have more iterations than the run began with.

    Raises
    ------
    ValueError
        The file is not such a state, or has another configuration; the error names the settings.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        iteration, best, digest = int(content["iteration"]), dict(content["best"]), content["digest"]
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError) as error:
        raise ValueError(f"expected the state of a run in {path.name}, got something else; begin a new run") from error
    lengthened = tuple(Lengthened(*each) for each in content.get("lengthened", ()))
    if digest != config.sha256:
        before = _config_of(content)
        check_goes_on(before, config)
        lengthened += (Lengthened(iteration, before.optimiser.iterations, config.optimiser.iterations),)
    for module, key in ((state.network, "network"), (state.average, "average")):
        module.load_state_dict(without_wrappers(content[key]))
    state.optimiser.load_state_dict(content["optimiser"])
    return Progress(iteration, best, lengthened)


def _config_of(content: dict[str, Any]) -> FitConfig:
    """The configuration that the run began with; states of earlier versions of this program lack it."""
    if "config" not in content:
        raise ValueError(
            "expected the configuration that the run began with, got another, of a run that an earlier version of this "
            "program began and that cannot be lengthened; begin a new run with it, --start its model.pt"
        )
    return make_config(json.loads(content["config"]))


def read_tensors(path: Path, otherwise: str) -> Any:  # noqa: ANN401
    """torch.load of tensors only, without running code; raises OSError, or ValueError with the text `otherwise`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about pickles that it then refuses
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise ValueError(otherwise) from error


def write_atomically(path: Path, content: Any) -> None:  # noqa: ANN401
    """torch.save by a rename: readers, also after a crash, see the old file or the new one; raises OSError."""
    serialized = io.BytesIO()
    torch.save(content, serialized)  # into memory: on a full disk torch raises RuntimeErrors of its own
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(serialized.getbuffer())
        commit(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


T = TypeVar("T")

_WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})


def bare_name(name: str) -> str:
    """`stack.cells.0.weight` of `module._orig_mod.stack.cells.0._orig_mod.weight`."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def without_wrappers(parameters: Mapping[str, T]) -> dict[str, T]:
    """The same under their bare names.

    Raises
    ------
    ValueError
        Two have one bare name, e.g. if a wrapped and a plain network were saved together.
    """
    bare: dict[str, T] = {}
    for name, value in parameters.items():
        if bare_name(name) in bare:
            raise ValueError(
                f"expected each parameter once, got {bare_name(name)} twice, once as {name}; save one network alone"
            )
        bare[bare_name(name)] = value
    return bare
