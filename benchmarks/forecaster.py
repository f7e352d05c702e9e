"""The time of the bundled forecasters by part: five 900x900 frames in, twelve out, in this process.

    python benchmarks/forecaster.py [--repeat 5] [--models REPOSITORY]

Prints the median milliseconds of the motion field, of bringing inputs and base into the network's coordinates, of
ONNX Runtime's steps, and of bringing the predictions back to mm/h on the ground.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models.onnx_forecaster import load_forecaster
from models.recurrent import RecurrentForecaster, roll_out
from models.repository import PRETRAINED, champions
from radar.grid import KNOWN_GRIDS
from radar.sequence import Float32
from radar.synthetic import storm_sequence

LEADS = 12


def main() -> None:
    """Print one line for each part, for the champion of each model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--models", type=Path, default=PRETRAINED, help="a model repository (default: the bundled one)")
    arguments = parser.parse_args()
    storm = storm_sequence(KNOWN_GRIDS["radolan"], 5, seed=1, end_time=datetime(2026, 6, 1, 12, tzinfo=UTC))
    print(f"{len(os.sched_getaffinity(0))} cores; median of {arguments.repeat}; milliseconds")
    for name, path in champions(arguments.models).items():
        forecaster = load_forecaster(path, "cpu")
        rows = [_measure(forecaster, storm.rain_rate) for _ in range(arguments.repeat)]
        for part in rows[0]:
            print(f"{name:16} {part:28} {statistics.median(row[part] for row in rows):8.0f}")


def _measure(forecaster: RecurrentForecaster, rain_rate: Float32) -> dict[str, float]:
    """The parts of RecurrentForecaster.forecast, one after the other."""
    card, framing, times = forecaster.card, forecaster.card.framing, {}

    @contextmanager
    def timed(part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        times[part] = 1000 * (time.perf_counter() - start)

    with timed("motion field"):
        motion = framing.motion(rain_rate)
    with timed("inputs and base"):
        frames = framing.channels(framing.inputs(rain_rate, motion), card.spec.inputs)[:, None]
        base = np.nan_to_num(list(framing.bases(rain_rate, LEADS)), nan=0.0)[:, None, None]
    with timed(f"{len(frames) + LEADS - 1} steps of the network"):
        units = list(roll_out(forecaster.step, frames, base, card.pad_multiple))
    with timed("predictions to the ground"):
        list(framing.outputs((card.scaling.from_network(unit[0, 0]) for unit in units), motion))
    return times | {"all": sum(times.values())}


if __name__ == "__main__":
    main()
