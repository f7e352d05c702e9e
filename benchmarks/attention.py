"""Local attention beside the form by unfolding, and what memory its forms take: one forward pass without gradients.

python -m benchmarks.attention [--sizes 62,124] [--channels 64] [--window 30] [--unfold-up-to 62] [--limits]

Memory is the most that tensors hold at once besides queries, keys and values; scratch memory within an operator is
not seen.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from models.cells.local_attention import by_rows, by_strips
from training.memory import MemoryCount

Form = Callable[[Tensor, Tensor, Tensor, int], Tensor]


def by_unfolding(queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:
    """Research code's way on the CPU: the window of every pixel is copied, for keys and for values."""
    before, after = window // 2, (window - 1) // 2
    rows, columns = queries.shape[-2:]
    keys, values = (
        F.unfold(F.pad(array, (before, after, before, after)), window).reshape(*array.shape[:2], window**2, -1)
        for array in (keys, values)
    )
    weights = torch.einsum("bcp,bcwp->bwp", queries.flatten(2), keys).softmax(dim=1)
    outputs: Tensor = torch.einsum("bwp,bcwp->bcp", weights, values)
    return outputs.reshape(*queries.shape[:2], rows, columns)


def measure(form: Form, size: int, channels: int, window: int) -> tuple[float, int]:
    """Seconds of the quicker of two passes (of the only one, if it takes long), and bytes at most."""
    torch.manual_seed(1)
    queries, keys, values = (torch.randn(1, channels, size, size) / channels**0.25 for _ in range(3))
    times: list[float] = []
    with torch.no_grad():
        form(*(array[..., :2, :2] for array in (queries, keys, values)), window)  # the first call loads what it needs
        while len(times) < 2 and sum(times) < 2:
            with MemoryCount([queries, keys, values]) as count:
                began = time.perf_counter()
                form(queries, keys, values, window)
                times.append(time.perf_counter() - began)
    return min(times), count.peak_bytes


def main() -> None:
    """Print one line for each form and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="62,124")
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--window", type=int, default=30)
    parser.add_argument("--unfold-up-to", type=int, default=62, help="it takes 1.7 GB at 62 x 62 and 64 channels")
    parser.add_argument("--limits", action="store_true", help="fail beyond 150 MB by rows, or below 40 x as fast")
    arguments = parser.parse_args()
    within = True
    forms: dict[str, Form] = {"by rows": by_rows, "by 8 strips": partial(by_strips, strips=8)}
    print(f"{'form':14}{'size':>6}{'seconds':>10}{'peak MB':>10}")
    for size in (int(size) for size in arguments.sizes.split(",")):
        unfolding: dict[str, Form] = {"by unfolding": by_unfolding} if size <= arguments.unfold_up_to else {}
        seconds: dict[str, float] = {}
        for name, form in {**forms, **unfolding}.items():
            seconds[name], peak = measure(form, size, arguments.channels, arguments.window)
            print(f"{name:14}{size:6}{seconds[name]:10.3f}{peak / 1e6:10.1f}")
            within &= name != "by rows" or peak <= 150e6
        if unfolding:
            ratio = seconds["by unfolding"] / seconds["by rows"]
            print(f"by rows is {ratio:.1f} times as fast as by unfolding")
            within &= ratio >= 40
    if arguments.limits and not within:
        sys.exit("expected at most 150 MB by rows and 40 x the speed of unfolding, got more or less; see above")


if __name__ == "__main__":
    main()
