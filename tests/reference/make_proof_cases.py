"""Make the project's own proof cases, tests/models/proof/NAME.npz, by the literal reference.

    python -m tests.reference.make_proof_cases

They have the form of the files that `python -m training check-reference` reads: frames, outputs, decouple_loss (empty
but for PredRNN-V2), config, and param:KEY under the names of the authors' code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.reference.literal import PYRAMID, forecast
from tests.reference.parameters import random_parameters

FOLDER = Path(__file__).parents[1] / "models" / "proof"
CELLS = ("ConvLSTM", "TrajGRU", "PredRNN", "PredRNN++", "MIM", "MotionRNN", "PredRNN-V2", "PrecipLSTM")
NAMES = tuple(prefix + cell for cell in CELLS for prefix in ("", "MS-"))
SEED = 2206


class Case(NamedTuple):
    """What a file holds: config, frames (T, B, 1, H, W) and parameters."""

    config: dict[str, str | int]
    frames: Tensor
    parameters: dict[str, Tensor]


def make_case(name: str) -> Case:
    """The case of a model, as "MS-PredRNN++".

    MotionRNN has one sample: the authors mix those of a batch. A plain stack has the three layers that differ: first,
    one between, last.
    """
    layers = len(PYRAMID) if name.startswith("MS-") else 3
    height, width, read, leads, channels = 8, 24, 3, 2, 4
    config: dict[str, str | int] = {
        "model": name,
        "hidden": channels,
        "height": height,
        "width": width,
        "in_len": read,
        "out_len": leads,
        "local_attention_window": 6,
        "layers": layers,
        "kernel_size": 3,
    }
    frames = smooth_noise(read + leads, 1 if "MotionRNN" in name else 2, height, width)
    return Case(config, frames, random_parameters(name, channels, layers, SEED + NAMES.index(name)))


def smooth_noise(times: int, batch: int, height: int, width: int) -> Tensor:
    """Frames in [0, 1], in steps of 1/64, of spots a few pixels wide."""
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.rand(times * batch, 1, height, width, generator=generator)
    spots = F.avg_pool2d(noise, 5, stride=1, padding=2)
    stretched = ((spots - 0.3) * 2.5).clamp(0, 1)
    return ((stretched * 64).round() / 64).reshape(times, batch, 1, height, width)


def save_case(case: Case, folder: Path) -> Path:
    """Forecast in float64, write in float32."""
    read, leads, window = (int(case.config[key]) for key in ("in_len", "out_len", "local_attention_window"))
    parameters = {key: value.double() for key, value in case.parameters.items()}
    name = str(case.config["model"])
    answer = forecast(name, parameters, case.frames[:read].double(), leads, window=window, quirks=True)
    arrays = {f"param:{key}": value.numpy() for key, value in case.parameters.items()}
    decoupling = answer.decoupling if answer.decoupling.numel() else torch.empty(0)
    path = folder / f"{name}.npz"
    np.savez_compressed(
        path,
        frames=case.frames.numpy(),
        outputs=answer.outputs.float().numpy(),
        decouple_loss=decoupling.float().numpy(),
        config=np.array(json.dumps(case.config)),
        allow_pickle=False,
        **arrays,
    )
    return path


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for case_name in NAMES:
        save_case(make_case(case_name), FOLDER)
