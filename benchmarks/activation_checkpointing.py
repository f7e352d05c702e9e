"""The gain and the cost of activation checkpointing: one training step with and without, each in its own process.

python -m benchmarks.activation_checkpointing [--models ms-preciplstm] [--size 124] [--steps 9] [--channels 64]

Seconds are CPU time, the same on a busy machine; memory is how far the resident memory rises at its peak (Linux).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from models.network import roll_out
from models.zoo import build
from tests.peak_memory import peak_bytes
from training.profile import ProfileSettings, spec_of


def training_step(name: str, settings: ProfileSettings) -> tuple[float, int]:
    """CPU seconds and bytes at the peak of one forward and backward pass, after a small one."""
    network = build(spec_of(name, settings))
    network.stack.checkpointing = settings.activation_checkpointing
    for each in (replace(settings, size=16, steps=1), settings):
        frames = torch.rand((each.steps + 1) // 2, each.batch, 1, each.size, each.size)
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew
        before, began = peak_bytes(), time.process_time()
        roll_out(network, frames, each.steps + 1 - len(frames)).square().mean().backward()  # type: ignore[no-untyped-call]
    return time.process_time() - began, peak_bytes() - before


def main() -> None:
    """Print two lines for each model, and how they compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="ms-preciplstm")
    for option, default in (("--size", 124), ("--steps", 9), ("--channels", 64)):
        parser.add_argument(option, type=int, default=default)
    parser.add_argument("--alone", type=int, choices=(0, 1), help=argparse.SUPPRESS)  # in this process: off or on
    arguments = parser.parse_args()
    settings = ProfileSettings(arguments.size, arguments.steps, arguments.channels)
    if arguments.alone is not None:
        step = training_step(arguments.models, replace(settings, activation_checkpointing=bool(arguments.alone)))
        print(json.dumps(step))
        return
    for name in arguments.models.split(","):
        (kept, most), (anew, least) = (_row(name, settings, checkpointing) for checkpointing in (0, 1))
        print(f"{name:16}kept {kept:8.1f} s {most / 2**30:7.2f} GiB")
        print(f"{'':16}anew {anew:8.1f} s {least / 2**30:7.2f} GiB")
        print(f"{'':16}{anew / kept:.2f} x the time, {least / most:.2f} x the memory", flush=True)


def _row(name: str, settings: ProfileSettings, checkpointing: int) -> tuple[float, int]:
    sizes = ["--size", str(settings.size), "--steps", str(settings.steps), "--channels", str(settings.channels)]
    command = [sys.executable, "-m", "benchmarks.activation_checkpointing", "--models", name, *sizes]
    answer = subprocess.run([*command, "--alone", str(checkpointing)], stdout=subprocess.PIPE, text=True, check=True)
    seconds, peak = json.loads(answer.stdout)
    return seconds, peak


if __name__ == "__main__":
    main()
