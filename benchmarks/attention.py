"""Local attention beside the form by unfolding, and what memory its forms take.

python -m benchmarks.attention [--sizes 62,124] [--channels 64] [--window 30] [--unfold-up-to 62] [--limits]
python -m benchmarks.attention --exported 8,16 [--grid 1200,1100] [--channels 64] [--window 30]

The first times one eager forward pass without gradients of each form. The second exports one layer of local attention,
projections included, in so many strips, and runs it in ONNX Runtime. Memory is how far the resident memory of the
process rises, at its peak, above what it was before the pass, scratch memory included; each row is a process of its
own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.cells.attention_rows import by_rows
from models.cells.local_attention import LocalAttention, by_strips, dense, local_attention
from tests.peak_memory import peak_bytes
from tests.reference.operators import unfold_attention

FORMS: dict[str, Callable[[Tensor, Tensor, Tensor, int], Tensor]] = {
    "by rows": by_rows,
    "by 8 strips": partial(by_strips, strips=8),
    "dense": dense,
    "as chosen": local_attention,
    "by unfolding": unfold_attention,
}
_PAIRS_OF_DENSE = 62**4
"""Dense scores are one for every pair of pixels: beyond this many they are left out."""


class Cost(NamedTuple):
    """Seconds of the quickest pass; bytes at the peak above the start."""

    seconds: float
    peak_bytes: int


def cost(work: Callable[[], object], repeats: int) -> Cost:
    """What `work` takes in this process (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew, at what is resident now
    before = peak_bytes()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return Cost(min(times), peak_bytes() - before)


def eager(form: str, size: int, channels: int, window: int) -> Cost:
    """One form, after a small pass that loads what the first pass loads."""
    torch.manual_seed(1)
    arrays = [torch.randn(1, channels, size, size) / channels**0.25 for _ in range(3)]
    with torch.no_grad():
        q, k, v = (array[..., :16, :16] for array in arrays)
        FORMS[form](q, k, v, window)
        q, k, v = arrays
        return cost(lambda: FORMS[form](q, k, v, window), repeats=1 if form == "by unfolding" else 3)


def exported(strips: int, grid: tuple[int, int], channels: int, window: int) -> tuple[Cost, int]:
    """One layer in ONNX Runtime, and the number of its nodes."""
    import onnxruntime

    layer, dim = LocalAttention(channels, window, strips).eval(), torch.export.Dim
    shapes = ({2: dim("rows"), 3: dim("columns")},)
    program = torch.onnx.export(
        layer, (torch.randn(1, channels, 80, 90),), dynamic_shapes=shapes, opset_version=18, dynamo=True, verbose=False
    )
    assert program is not None
    model = program.model_proto
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).standard_normal((1, channels, *grid), np.float32)
    return cost(lambda: session.run(None, {session.get_inputs()[0].name: x}), repeats=1), len(model.graph.node)


def main() -> None:
    """Print one line for each form and size, or for each number of strips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=_numbers, default=[62, 124])
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--window", type=int, default=30)
    parser.add_argument("--unfold-up-to", type=int, default=62, help="it takes 1.7 GB at 62 x 62 and 64 channels")
    parser.add_argument("--limits", action="store_true", help="fail beyond 150 MB by rows, or below 40 x as fast")
    parser.add_argument("--exported", type=_numbers, metavar="STRIPS", help="measure the export form instead")
    parser.add_argument("--grid", type=_numbers, default=[1200, 1100])
    parser.add_argument("--form", help=argparse.SUPPRESS)  # one row, in a process of its own
    arguments = parser.parse_args()
    if arguments.form and arguments.exported:
        grid = (arguments.grid[0], arguments.grid[1])
        answer, nodes = exported(arguments.exported[0], grid, arguments.channels, arguments.window)
        print(json.dumps([*answer, nodes]))
    elif arguments.form:
        print(json.dumps(eager(arguments.form, arguments.sizes[0], arguments.channels, arguments.window)))
    elif arguments.exported:
        _compare_strips(arguments)
    elif not _compare_forms(arguments) and arguments.limits:
        sys.exit("expected at most 150 MB by rows and 40 x the speed of unfolding, got more or less; see above")


def _compare_strips(arguments: argparse.Namespace) -> None:
    print(f"{'strips':>6}{'nodes':>7}{'seconds':>10}{'peak GiB':>10}")
    for strips in arguments.exported:
        grid = ",".join(map(str, arguments.grid))
        seconds, peak, nodes = _row(arguments, "--form", "exported", "--exported", str(strips), "--grid", grid)
        print(f"{strips:6}{nodes:7.0f}{seconds:10.1f}{peak / 2**30:10.2f}", flush=True)


def _compare_forms(arguments: argparse.Namespace) -> bool:
    """Whether the limits hold, for the sizes that were asked for."""
    within = True
    print(f"{'form':14}{'size':>6}{'seconds':>10}{'peak MB':>10}")
    for size in arguments.sizes:
        most = {"by unfolding": size <= arguments.unfold_up_to, "dense": size**4 <= _PAIRS_OF_DENSE}
        rows = {}
        for form in (form for form in FORMS if most.get(form, True)):
            seconds, peak = _row(arguments, "--form", form, "--sizes", str(size))
            rows[form] = Cost(seconds, int(peak))
            print(f"{form:14}{size:6}{seconds:10.3f}{peak / 1e6:10.1f}", flush=True)
        within &= rows["by rows"].peak_bytes <= 150e6
        if "by unfolding" in rows:
            ratio = rows["by unfolding"].seconds / rows["as chosen"].seconds
            print(f"as chosen, it is {ratio:.1f} times as fast as by unfolding", flush=True)
            within &= ratio >= 40
    return within


def _row(arguments: argparse.Namespace, *options: str) -> list[float]:
    sizes = ["--channels", str(arguments.channels), "--window", str(arguments.window)]
    command = [sys.executable, "-m", "benchmarks.attention", *options, *sizes]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    numbers: list[float] = json.loads(answer.stdout.splitlines()[-1])
    return numbers


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main()
