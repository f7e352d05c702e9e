"""Extrapolation by radar/extrapolation/motion.py against pysteps' Lucas-Kanade extrapolation, on real events.

    python3 -m venv /tmp/pysteps
    /tmp/pysteps/bin/pip install pysteps opencv-python-headless numpy xarray netCDF4 pyproj h5py
    PYTHONPATH=. OMP_NUM_THREADS=1 /tmp/pysteps/bin/python benchmarks/motion.py EVENTS/*.nc

EVENTS is a folder of CF NetCDF files. pysteps compiles from source and is no dependency of this project: give it an
environment of its own. Both methods see the same five frames, forecast an hour from the same starts on one thread, and
are scored on the same pixels: those that are observed and that both forecast. CSI is that of all starts together at
each lead time, averaged over the lead times. Exits with 1 when the mean CSI over the events is more than 2 % below
pysteps', or the speed less than 4 times its.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from radar.extrapolation.motion import extrapolate, motion_field
from radar.files.open import open_sequence
from radar.scores.pixels import ContingencyTable, contingency, csi
from radar.sequence import Float32

FRAMES_IN = 5
LEAD_MINUTES = 60
LEAST_CSI_RATIO = 0.98
LEAST_SPEED_RATIO = 4.0

Method = Callable[[Float32, int], Float32]


def ours(frames: Float32, steps: int) -> Float32:
    """radar.extrapolation.motion, as the service runs it."""
    return extrapolate(frames[-1], motion_field(frames), steps)


def lucas_kanade(frames: Float32, steps: int) -> Float32:
    """Lucas-Kanade with the defaults of pysteps: motion from dB images, semi-Lagrangian extrapolation in mm/h."""
    from pysteps.extrapolation.semilagrangian import extrapolate as semilagrangian
    from pysteps.motion.lucaskanade import dense_lucaskanade
    from pysteps.utils.transformation import dB_transform

    decibels, _ = dB_transform(frames.astype(np.float64), threshold=0.1, zerovalue=-15.0)
    motion = dense_lucaskanade(np.ma.masked_invalid(decibels))
    return np.asarray(semilagrangian(frames[-1], motion, steps, allow_nonfinite_values=True), np.float32)


@dataclass
class Tally:
    """What one method did on one event."""

    tables: list[ContingencyTable]
    seconds: list[float] = field(default_factory=list)

    def csi(self) -> float:
        """CSI averaged over the lead times; NaN where it never rained."""
        defined = [value for value in map(csi, self.tables) if not math.isnan(value)]
        return float(np.mean(defined)) if defined else math.nan


def main() -> int:
    """Print the table; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("events", type=Path, nargs="+")
    parser.add_argument("--starts", type=int, default=6, help="per event, evenly spread")
    parser.add_argument("--threshold", type=float, default=1.0, help="mm/h")
    parser.add_argument("--pysteps", choices=["yes", "no"], default="yes", help="no: time and score ours alone")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    methods: dict[str, Method] = {"ours": ours}
    if arguments.pysteps == "yes":
        methods["pysteps"] = lucas_kanade
    _warm_up(methods.values())
    print("| event | starts | CSI ours | CSI pysteps LK | ratio | s ours | s pysteps | speed |")
    print("|---|---|---|---|---|---|---|---|")
    rows = [event_row(path, methods, arguments.starts, arguments.threshold) for path in arguments.events]
    return _print_summary(np.array(rows))


def _warm_up(methods: Iterable[Method]) -> None:
    """First calls import and read settings; that is not their speed."""
    frames = np.random.default_rng(0).gamma(1.0, 1.0, (3, 128, 128)).astype(np.float32)
    for method in methods:
        method(frames, 1)


def event_row(path: Path, methods: dict[str, Method], count: int, threshold: float) -> list[float]:
    """Both CSI, their ratio, median seconds of both, their ratio; NaN for a method that is not there."""
    sequence = open_sequence([path])
    steps = min(LEAD_MINUTES // sequence.timestep_minutes, len(sequence) - FRAMES_IN)
    starts = np.unique(np.linspace(0, len(sequence) - FRAMES_IN - steps, count).round().astype(int))
    tallies = {name: Tally([ContingencyTable()] * steps) for name in methods}
    for start in starts:
        past, later = np.split(sequence.rain_rate[start : start + FRAMES_IN + steps], [FRAMES_IN])
        _add_start(methods, tallies, past, later, threshold)
    scores = [tallies[name].csi() if name in tallies else math.nan for name in ("ours", "pysteps")]
    seconds = [float(np.median(tallies[name].seconds)) if name in tallies else math.nan for name in ("ours", "pysteps")]
    row = [*scores, scores[0] / scores[1], *seconds, seconds[1] / seconds[0]]
    print(_line(path.stem, str(len(starts)), row), flush=True)
    return row


def _add_start(
    methods: dict[str, Method], tallies: dict[str, Tally], past: Float32, later: Float32, threshold: float
) -> None:
    forecasts = {}
    for name, method in methods.items():
        begin = time.perf_counter()
        forecasts[name] = method(past, len(later))
        tallies[name].seconds.append(time.perf_counter() - begin)
    known = np.isfinite([later, *forecasts.values()]).all(axis=0)
    truth = np.where(known, later, np.float32(np.nan))
    for name, forecast in forecasts.items():
        pairs = zip(tallies[name].tables, forecast, truth, strict=True)
        tallies[name].tables = [table + contingency(said, seen, threshold) for table, said, seen in pairs]


def _print_summary(rows: npt.NDArray[np.float64]) -> int:
    """Means over the events where CSI is defined; speed from all seconds together."""
    ours_csi, pysteps_csi = (float(np.nanmean(rows[:, k])) for k in (0, 1))
    ours_seconds, pysteps_seconds = (float(rows[:, k].mean()) for k in (3, 4))
    ratio, speed = ours_csi / pysteps_csi, pysteps_seconds / ours_seconds
    print(_line("**mean**", "", [ours_csi, pysteps_csi, ratio, ours_seconds, pysteps_seconds, speed]))
    return int(ratio < LEAST_CSI_RATIO or speed < LEAST_SPEED_RATIO)


def _line(event: str, starts: str, row: Sequence[float]) -> str:
    ours_csi, pysteps_csi, ratio, ours_seconds, pysteps_seconds, speed = row
    cells = [event, starts, f"{ours_csi:.3f}", f"{pysteps_csi:.3f}", f"{ratio:.3f}"]
    return "| " + " | ".join([*cells, f"{ours_seconds:.2f}", f"{pysteps_seconds:.2f}", f"{speed:.1f}"]) + " |"


if __name__ == "__main__":
    sys.exit(main())
