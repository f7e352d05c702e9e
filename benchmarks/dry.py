"""The rain that models forecast after frames without any: a dry picture should stay dry.

    python -m benchmarks.dry models/pretrained runs/a-1/model.pt

What a network says below `scaling.dry_below` is shown as dry, and the loss does not mind how near to that it comes.
What is above is a trace of rain all over the country, too little for any threshold of the scores, not for their MAE.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.forecaster import Forecaster
from radar.grid import Grid
from radar.sequence import Float32, FrameSequence, times_after
from training.evaluate.evaluate import open_forecasters

STEPS = (1, 6, 12)
SIZE = 256


def main() -> None:
    """Print a row for each model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", help="checkpoints, .onnx files or model repositories")
    print("| model | " + " | ".join(f"share of pixels with rain, step {step}" for step in STEPS) + " | most, mm/h |")
    print("|---" * (2 + len(STEPS)) + "|")
    for path in parser.parse_args().models:
        for forecaster in open_forecasters([path]):
            rain_rate = after_dry_frames(forecaster)
            shares = " | ".join(f"{(rain_rate[step - 1] > 0).mean():.3f}" for step in STEPS)
            print(f"| {forecaster.name} of {path} | {shares} | {rain_rate.max():.3f} |")


def after_dry_frames(forecaster: Forecaster, steps: int = max(STEPS)) -> Float32:
    """Rain rates (steps, H, W), mm/h, that are forecast after frames without missing pixels, and all but without rain.

    One pixel of the first frame has a little: frames without any are answered without the network, which is asked here.
    """
    grid = Grid("dry", (SIZE, SIZE), 1.0, "+proj=laea +lat_0=50 +lon_0=10", (0.0, 0.0))
    length = forecaster.input_length
    times = times_after(datetime(2026, 1, 1, tzinfo=UTC), length, 5)
    rain_rate = np.zeros((length, *grid.shape), np.float32)
    rain_rate[0, 0, 0] = 0.2
    dry = FrameSequence(rain_rate, times, grid, 5, "RY")
    return forecaster.forecast(dry, steps).rain_rate


if __name__ == "__main__":
    main()
