"""Starts of an archive that `python -m training hindcast` forecasts and scores in a minute, by number of workers.

python -m benchmarks.hindcast [--frames 24] [--workers 0,1,2]

The archive holds a synthetic storm, RY on 900 x 900 pixels; forecasts are those of the bundled model, an hour ahead,
beside persistence and extrapolation. 0 workers are none: the command's own process, with all cores. Starting the
command and its workers counts; memory is the resident size of all processes together.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired

from benchmarks.prepare import family, resident
from models.repository import PRETRAINED
from radar.archive.archive import Archive
from radar.grid import KNOWN_GRIDS
from radar.synthetic import storm_sequence

_MODEL = PRETRAINED / "ms-convlstm"


def timed_run(archive: Path, out: Path, workers: int) -> tuple[int, float, int]:
    """Starts, seconds of one run, and the peak of the memory of all its processes in bytes."""
    start, peak = time.perf_counter(), 0
    command = ("hindcast", str(_MODEL), str(archive), "--out", str(out), "--workers", str(workers))
    said = out.with_suffix(".txt")
    with said.open("w") as stdout:
        run = Popen([sys.executable, "-m", "training", *command], stdout=stdout, stderr=DEVNULL)
    while True:
        try:
            run.wait(0.2)
            break
        except TimeoutExpired:
            peak = max(peak, resident(family(run.pid)))
    if run.returncode:
        raise SystemExit(f"hindcast ended with {run.returncode}")
    seconds = time.perf_counter() - start
    found = re.search(r"(\d+) starts forecast", said.read_text())
    assert found is not None
    return int(found[1]), seconds, peak


def main() -> None:
    """A row for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--workers", default="0,1,2")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        end = datetime(2024, 5, 1, 22, tzinfo=UTC)
        Archive(Path(folder, "archive")).append(
            storm_sequence(KNOWN_GRIDS["radolan"], arguments.frames, seed=3, end_time=end, product="RY")
        )
        print("| workers | starts | s | starts a minute | memory, MB |\n|---|---|---|---|---|")
        for workers in map(int, arguments.workers.split(",")):
            starts, seconds, peak = timed_run(Path(folder, "archive"), Path(folder, f"{workers}.zarr"), workers)
            print(
                f"| {workers} | {starts} | {seconds:.1f} | {60 * starts / seconds:.1f} | {peak / 1e6:.0f} |", flush=True
            )


if __name__ == "__main__":
    main()
