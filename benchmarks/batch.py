"""A batch of several histories in the network against one history after the other.

    python benchmarks/batch.py [--model ms-convlstm] [--pixels 256] [--repeat 5]

Synthetic storms, twelve leads, the bundled model in ONNX Runtime on the CPU. Both ways are measured in turn; prints the
median time of one forecast, and how far a forecast in a batch is from the same one alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from datetime import UTC, datetime

import numpy as np

from models.onnx_forecaster import load_forecaster
from models.recurrent import RecurrentForecaster
from models.repository import PRETRAINED, champions
from radar.grid import Grid
from radar.sequence import FrameSequence
from radar.synthetic import storm_sequence

SIZES = (2, 4)
STEPS = 12


def main() -> None:
    """Print one line for each size of a batch."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="ms-convlstm")
    parser.add_argument("--pixels", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    forecaster = load_forecaster(champions(PRETRAINED)[options.model], "cpu")
    pasts = [_storm(options.pixels, seed) for seed in range(max(SIZES))]
    forecaster.forecast(pasts[0], STEPS)
    print(f"{options.model}, {options.pixels}x{options.pixels}, {STEPS} leads, {len(os.sched_getaffinity(0))} cores")
    for size in SIZES:
        alone, together = _medians(forecaster, pasts[:size], options.repeat)
        print(
            f"batch of {size}: {1000 * together:.0f} ms a forecast, alone {1000 * alone:.0f} ms,"
            f" {alone / together:.2f} x the rate; largest difference {_difference(forecaster, pasts[:size]):.1e} mm/h"
        )


def _medians(forecaster: RecurrentForecaster, pasts: list[FrameSequence], repeat: int) -> tuple[float, float]:
    """Seconds of one forecast, one after the other and in a batch."""
    alone, together = [], []
    for _ in range(repeat):
        start = time.perf_counter()
        for past in pasts:
            forecaster.forecast(past, STEPS)
        between = time.perf_counter()
        forecaster.forecast_batch(pasts, STEPS)
        alone.append((between - start) / len(pasts))
        together.append((time.perf_counter() - between) / len(pasts))
    return statistics.median(alone), statistics.median(together)


def _difference(forecaster: RecurrentForecaster, pasts: list[FrameSequence]) -> float:
    """The largest, in mm/h."""
    together = forecaster.forecast_batch(pasts, STEPS)
    pairs = [(forecaster.forecast(past, STEPS), other) for past, other in zip(pasts, together, strict=True)]
    return max(float(np.nanmax(np.abs(one.rain_rate - other.rain_rate))) for one, other in pairs)


def _storm(pixels: int, seed: int) -> FrameSequence:
    grid = Grid("square", (pixels, pixels), 1.0)
    return storm_sequence(grid, 5, seed=seed, end_time=datetime(2026, 6, 1, 12, tzinfo=UTC), product="RY")


if __name__ == "__main__":
    main()
