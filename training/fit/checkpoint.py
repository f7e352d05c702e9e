"""Checkpoints: weights with their training configuration; they are read without unpickling code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.network import Network
from models.zoo import build
from training.config.config import FitConfig, make_config
from training.fit.run_state import read_tensors, without_wrappers, write_atomically


def save_checkpoint(path: Path, network: Network, config: FitConfig, notes: dict[str, Any]) -> None:
    """Write weights, configuration and `notes` (JSON values) by atomic rename."""
    text = json.dumps({"config": asdict(config), "notes": notes})
    write_atomically(path, {"weights": network.state_dict(), "about": text})


def load_checkpoint(path: Path) -> tuple[Network, FitConfig, dict[str, Any]]:
    """The network in evaluation mode, its configuration and notes.

    Raises
    ------
    ValueError
        The file does not exist, or is not from `fit` or `import-checkpoint`; the error names the command to use.
    """
    content = _content(path)
    about = json.loads(content["about"])
    config = make_config(about["config"])
    network = build(config.network)
    try:
        network.load_state_dict(without_wrappers(content["weights"]))
    except RuntimeError as error:
        raise ValueError(
            f"expected the weights of a {config.network.cell} network in {path}, got others; train or import it anew"
        ) from error
    return network.eval(), config, about["notes"]


def _content(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise ValueError(f"expected a checkpoint, got no file {path}; check the name")
    content = read_tensors(path, f"expected a checkpoint that fit wrote, got {path}, which is not one; check the name")
    if not isinstance(content, Mapping) or not {"about", "weights"} <= set(content):
        kind = "the state of a run" if isinstance(content, Mapping) and "digest" in content else "other tensors"
        remedy = "take model.pt beside it" if kind == "the state of a run" else "bring it with import-checkpoint"
        raise ValueError(f"expected a checkpoint that fit wrote, got {kind} in {path}; {remedy}")
    return content
