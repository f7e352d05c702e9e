"""The time of the bundled forecasters: five 900x900 frames in, twelve out, in this process.

    python benchmarks/forecaster.py [--repeat 5] [--leads 12] [--models REPOSITORY]

Prints the median milliseconds of the network's steps in ONNX Runtime, of everything else (motion field, base,
coordinates, rain), and of the whole forecast.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

from models.onnx_forecaster import load_forecaster
from models.recurrent import RecurrentForecaster, State, Step
from models.repository import PRETRAINED, champions
from radar.grid import KNOWN_GRIDS
from radar.sequence import Float32, FrameSequence
from radar.synthetic import storm_sequence


def main() -> None:
    """Print one line for each part, for the champion of each model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--leads", type=int, default=12)
    parser.add_argument("--models", type=Path, default=PRETRAINED, help="a model repository (default: the bundled one)")
    arguments = parser.parse_args()
    storm = storm_sequence(KNOWN_GRIDS["radolan"], 5, seed=1, end_time=datetime(2026, 6, 1, 12, tzinfo=UTC))
    print(f"{len(os.sched_getaffinity(0))} cores; median of {arguments.repeat}; milliseconds")
    for name, path in champions(arguments.models).items():
        forecaster = load_forecaster(path, "cpu")
        forecaster.warm_up((1, *storm.grid.shape))
        forecaster.step = timed = TimedStep(forecaster.step)
        rows = [_measure(forecaster, timed, storm, arguments.leads) for _ in range(arguments.repeat)]
        for part in rows[0]:
            print(f"{name:16} {part:28} {statistics.median(row[part] for row in rows):8.0f}")


class TimedStep:
    """A step that adds up the seconds in it."""

    def __init__(self, step: Step) -> None:
        self._step, self.seconds, self.start = step, 0.0, step.start

    def __call__(self, frame: Float32, state: State) -> tuple[Float32, State]:
        """See `models.recurrent.Step`."""
        begun = time.perf_counter()
        found = self._step(frame, state)
        self.seconds += time.perf_counter() - begun
        return found

    def observe(self, frame: Float32, state: State) -> State:
        """See `models.recurrent.Step`."""
        begun = time.perf_counter()
        state = self._step.observe(frame, state)
        self.seconds += time.perf_counter() - begun
        return state


def _measure(forecaster: RecurrentForecaster, timed: TimedStep, past: FrameSequence, leads: int) -> dict[str, float]:
    timed.seconds, begun = 0.0, time.perf_counter()
    forecaster.forecast(past, leads)
    whole = time.perf_counter() - begun
    parts = {"steps of the network": timed.seconds, "everything else": whole - timed.seconds, "all": whole}
    return {part: 1000 * seconds for part, seconds in parts.items()}


if __name__ == "__main__":
    main()
