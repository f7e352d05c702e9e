"""Checkpoints: weights with the configuration they were trained by; read without unpickling code."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from models.network import Network
from models.zoo import build
from training.config import FitConfig, make_config
from training.run_state import write_atomically


def save_checkpoint(path: Path, network: Network, config: FitConfig, notes: dict[str, Any]) -> None:
    """Write weights, configuration and `notes` (JSON values) by atomic rename."""
    text = json.dumps({"config": asdict(config), "notes": notes})
    write_atomically(path, {"weights": network.state_dict(), "about": text})


def load_checkpoint(path: Path) -> tuple[Network, FitConfig, dict[str, Any]]:
    """The network in evaluation mode, its configuration and notes."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"expected a checkpoint that fit wrote, got {path.name}, which is none") from error
    about = json.loads(content["about"])
    config = make_config(about["config"])
    network = build(config.network)
    network.load_state_dict(content["weights"])
    return network.eval(), config, about["notes"]
