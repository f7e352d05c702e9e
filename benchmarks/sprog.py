"""S-PROG of radar/extrapolation/ against that of pysteps on the same motion, and with other motion fields.

    python3 -m venv /tmp/pysteps
    /tmp/pysteps/bin/pip install pysteps opencv-python-headless numpy xarray netCDF4 pyproj h5py
    PYTHONPATH=. OMP_NUM_THREADS=1 /tmp/pysteps/bin/python benchmarks/sprog.py parity EVENTS/*.nc
    PYTHONPATH=. OMP_NUM_THREADS=1 /tmp/pysteps/bin/python benchmarks/sprog.py motion EVENTS/*.nc

EVENTS is a folder of CF NetCDF files. `parity` compares both on the motion field of this project, matched
in the mean and in distribution. `motion` compares S-PROG matched in distribution on this project's motion field with
the same on the fields of pysteps' Lucas-Kanade, VET and Farneback. All see the same five frames, forecast an hour on
one thread, and are scored on the same pixels: those that are observed and that all forecast. CSI is that of all starts
together at each lead time, averaged over the lead times. `parity` exits with 1 when a score differs by more than 1 %,
or when the speed is less than 10 times that of pysteps; `motion` when another field has a better mean CSI at 1 mm/h.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import cv2
import numpy as np

from radar.extrapolation.motion import motion_field
from radar.extrapolation.sprog import FRAMES, Matching, sprog
from radar.files.open import open_sequence
from radar.scores.pixels import ContingencyTable, contingency, csi
from radar.sequence import Float32

FRAMES_IN = 5
LEAD_MINUTES = 60
THRESHOLDS = (0.1, 1.0, 5.0)
TOLERANCE = 0.01
LEAST_SPEED_RATIO = 10.0
MATCHINGS: tuple[Matching, ...] = ("mean", "cdf")

Method = Callable[[Float32, Float32, int], Float32]
"""Frames (T, H, W) and motion (2, H, W) to a forecast of so many steps."""
Motion = Callable[[Float32], Float32]


def ours(matching: Matching) -> Method:
    """S-PROG as the service runs it, without its rule for inflow."""

    def forecast(frames: Float32, motion: Float32, steps: int) -> Float32:
        return np.stack(list(sprog(frames, motion, steps, matching)))

    return forecast


def of_pysteps(matching: Matching) -> Method:
    """S-PROG of pysteps with its defaults: dB from 0.1 mm/h on, dry pixels -15 dB, six levels, order 2."""

    def forecast(frames: Float32, motion: Float32, steps: int) -> Float32:
        from pysteps.nowcasts.sprog import forecast as theirs

        with redirect_stdout(StringIO()):  # it prints its settings
            forecast = theirs(
                _decibels(frames)[-FRAMES:],
                motion.astype(np.float64),
                steps,
                precip_thr=-10.0,
                probmatching_method=matching,
            )
        rain = np.where(forecast >= -10, 10 ** (forecast / 10), np.where(np.isnan(forecast), np.nan, 0))
        return rain.astype(np.float32)

    return forecast


def _decibels(frames: Float32) -> np.ndarray:
    from pysteps.utils.transformation import dB_transform

    return np.asarray(dB_transform(frames.astype(np.float64), threshold=0.1, zerovalue=-15.0)[0])


def motions() -> dict[str, Motion]:
    """The motion field of this project, and three of pysteps with their defaults."""

    def lucas_kanade(frames: Float32) -> Float32:
        from pysteps.motion.lucaskanade import dense_lucaskanade

        return np.asarray(dense_lucaskanade(np.ma.masked_invalid(_decibels(frames))), np.float32)

    def vet(frames: Float32) -> Float32:
        from pysteps.motion.vet import vet as variational

        return np.asarray(variational(np.ma.masked_invalid(_decibels(frames)[-3:]), verbose=False), np.float32)

    def farneback(frames: Float32) -> Float32:
        from pysteps.motion.farneback import farneback as polynomial

        return np.asarray(polynomial(np.ma.masked_invalid(_decibels(frames))), np.float32)

    return {"ours": motion_field, "Lucas-Kanade": lucas_kanade, "VET": vet, "Farneback": farneback}


@dataclass
class Scores:
    """Sums of one method over the starts of an event."""

    steps: int
    tables: dict[float, list[ContingencyTable]] = field(default_factory=dict)
    absolute: float = 0.0
    pixels: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, forecast: Float32, truth: Float32) -> None:
        """Count a forecast (K, H, W) at the pixels where `truth` is known."""
        for threshold in THRESHOLDS:
            tables = self.tables.setdefault(threshold, [ContingencyTable()] * self.steps)
            pairs = zip(tables, forecast, truth, strict=True)
            self.tables[threshold] = [table + contingency(one, seen, threshold) for table, one, seen in pairs]
        known = np.isfinite(truth)
        self.absolute += float(np.abs(forecast - truth)[known].sum())
        self.pixels += int(known.sum())

    def values(self) -> dict[str, float]:
        """CSI by threshold (mean over lead times) and MAE in mm/h."""
        scores = {f"CSI {threshold:g}": _mean(map(csi, tables)) for threshold, tables in self.tables.items()}
        return {**scores, "MAE": self.absolute / max(1, self.pixels)}


def _mean(values: Iterable[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan


class Timed:
    """A motion that notes how long it took."""

    def __init__(self, motion: Motion) -> None:
        self._motion = motion
        self.seconds: list[float] = []

    def __call__(self, frames: Float32) -> Float32:
        """Estimate the motion of frames (T, H, W)."""
        begin = time.perf_counter()
        found = self._motion(frames)
        self.seconds.append(time.perf_counter() - begin)
        return found


class Moved:
    """A method with a motion of its own."""

    def __init__(self, method: Method, motion: Motion) -> None:
        self._method, self._motion = method, motion

    def __call__(self, frames: Float32, _: Float32, steps: int) -> Float32:
        """Forecast so many steps after frames (T, H, W)."""
        return self._method(frames, self._motion(frames), steps)


def score(path: Path, count: int, methods: Mapping[str, Method], motion: Motion | None) -> dict[str, Scores]:
    """The scores of several methods on one event, on the pixels that all of them forecast."""
    sequence = open_sequence([path])
    steps = min(LEAD_MINUTES // sequence.timestep_minutes, len(sequence) - FRAMES_IN)
    starts = np.unique(np.linspace(0, len(sequence) - FRAMES_IN - steps, count).round().astype(int))
    scores = {name: Scores(steps) for name in methods}
    for start in starts:
        past, later = np.split(sequence.rain_rate[start : start + FRAMES_IN + steps], [FRAMES_IN])
        moved = motion(past) if motion else np.zeros((2, *past.shape[1:]), np.float32)
        made = {}
        for name, method in methods.items():
            begin = time.perf_counter()
            made[name] = method(past, moved, steps)
            scores[name].seconds.append(time.perf_counter() - begin)
        known = np.isfinite([later, *made.values()]).all(axis=0)
        truth = np.where(known, later, np.float32(np.nan))
        for name, frames in made.items():
            scores[name].add(frames, truth)
    return scores


def parity(events: Sequence[Path], starts: int) -> int:
    """Both implementations on one motion; 1 when they differ."""
    print(_row("event", "matching", "CSI 0.1", "CSI 1", "CSI 5", "MAE", "s ours", "s pysteps", "speed"))
    print(_row(*["---"] * 9))
    failed = False
    for path in events:
        for matching in MATCHINGS:
            made = score(path, starts, {"ours": ours(matching), "pysteps": of_pysteps(matching)}, motion_field)
            ratios = _ratios(made["ours"], made["pysteps"])
            seconds = [float(np.median(each.seconds)) for each in made.values()]
            speed = seconds[1] / seconds[0]
            cells = [*(f"{ratio:.3f}" for ratio in ratios.values()), *(f"{s:.2f}" for s in seconds), f"{speed:.1f}"]
            print(_row(path.stem, matching, *cells), flush=True)
            failed |= any(abs(ratio - 1) > TOLERANCE for ratio in ratios.values() if not math.isnan(ratio))
            failed |= speed < LEAST_SPEED_RATIO
    return int(failed)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _ratios(one: Scores, other: Scores) -> dict[str, float]:
    values, others = one.values(), other.values()
    return {name: values[name] / others[name] if others[name] else math.nan for name in values}


def compare_motions(events: Sequence[Path], starts: int) -> int:
    """S-PROG with each motion field; 1 when another than this project's is better in the mean."""
    fields = motions()
    print(_row("event", *fields, *(f"s {name}" for name in fields)))
    print(_row(*["---"] * (1 + 2 * len(fields))))
    rows = []
    for path in events:
        timed = {name: Timed(field) for name, field in fields.items()}
        forecasts = {name: Moved(ours("cdf"), motion) for name, motion in timed.items()}
        made = score(path, starts, forecasts, None)
        row = [each.values()["CSI 1"] for each in made.values()]
        seconds = [float(np.median(motion.seconds)) for motion in timed.values()]
        rows.append(row)
        print(_row(path.stem, *(f"{v:.4f}" for v in row), *(f"{v:.2f}" for v in seconds)), flush=True)
    means = np.nanmean(rows, axis=0)
    print(_row("**mean**", *(f"{v:.4f}" for v in means), *[""] * len(fields)))
    return int(means[0] < means[1:].max())


def main() -> int:
    """Print a table; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["parity", "motion"])
    parser.add_argument("events", type=Path, nargs="+")
    parser.add_argument("--starts", type=int, default=4, help="per event, evenly spread")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    compare = parity if arguments.what == "parity" else compare_motions
    return compare(arguments.events, arguments.starts)


if __name__ == "__main__":
    sys.exit(main())
