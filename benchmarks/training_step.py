"""Time of a training step beside code written as research code is: the same model, weights, batch and size, one run.

python -m benchmarks.training_step [--models ms-convlstm,ms-preciplstm] [--channels 64] [--size 124] [--repeats 3]

The reference (tests/reference) has one convolution for each input of a gate; its local attention here is by plain
products of blocks of 16 x 16 pixels, the fastest of 8, 12 and 16, which is what one writes without a compiled extension
and without the memory that unfolding takes.
Both forecast 5 + 5 frames, take the squared and absolute error of all nine, go backward and make a step of Adam.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from models.network import roll_out
from models.zoo import build
from tests.reference import literal
from tests.reference.parameters import random_parameters
from training.authors.reference import reference_spec
from training.authors.weights import convert_parameters

_INPUT_LENGTH, _LEADS, _WINDOW = 5, 5, 30


def step_time(loss: Callable[[], Tensor], parameters: list[Tensor], repeats: int) -> float:
    """Seconds of the quickest training step of `repeats`, after one that is not timed."""
    optimiser = torch.optim.Adam(parameters, 3e-4)
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        optimiser.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        times.append(time.perf_counter() - began)
    return min(times[1:])


def compare(name: str, channels: int, size: int, repeats: int) -> tuple[float, float, float]:
    """Seconds per step of the reference and of this project in float32; and in bfloat16, NaN where there is none."""
    weights = random_parameters(name, channels, layers=6, seed=1)
    frames = torch.rand(_INPUT_LENGTH + _LEADS, 1, 1, size, size, generator=torch.Generator().manual_seed(2))

    def error(outputs: Tensor) -> Tensor:
        difference = outputs - frames[1:]
        return (difference.square() + difference.abs()).sum() / len(outputs)

    theirs = {key: value.clone().requires_grad_() for key, value in weights.items()}
    given = frames[:_INPUT_LENGTH]
    reference = step_time(
        lambda: error(literal.forecast(name, theirs, given, _LEADS, window=_WINDOW, quirks=True).outputs),
        list(theirs.values()),
        repeats,
    )
    spec = reference_spec(name, channels=channels, kernel_size=3, layers=6, window=_WINDOW)
    network = build(spec)
    network.load_state_dict(convert_parameters(weights, spec))
    own = step_time(lambda: error(roll_out(network, given, _LEADS)), list(network.parameters()), repeats)
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return reference, own, float("nan")

    def in_bfloat16() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            outputs = roll_out(network, given, _LEADS)
        return error(outputs.float())

    return reference, own, step_time(in_bfloat16, list(network.parameters()), repeats)


def main() -> None:
    """One line for each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", default="ms-convlstm,ms-preciplstm")
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--size", type=int, default=124)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(
        f"{torch.get_num_threads()} threads, {arguments.channels} channels, {arguments.size}x{arguments.size}, batch 1"
    )
    print("| model | reference, s | here, s | times as fast | bfloat16, s | times as fast |")
    print("|---|---|---|---|---|---|")
    for name in arguments.models.split(","):
        reference, own, half = compare(name, arguments.channels, arguments.size, arguments.repeats)
        own_ratio, half_ratio = reference / own, reference / half
        print(f"| {name} | {reference:.2f} | {own:.2f} | {own_ratio:.2f} | {half:.2f} | {half_ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
