"""The cost of a run as NetCDF: 24 frames of 900x900 synthetic rain, deflated, beside a plain copy.

    python benchmarks/netcdf.py [--repeat 5]

Prints the median over the repeats, in milliseconds, and the megabytes: `to_netcdf`, and a plain copy of the numbers.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from radar.files.netcdf.writer import to_netcdf
from radar.grid import KNOWN_GRIDS
from radar.synthetic import storm_sequence

FRAMES = 24


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    end = datetime(2026, 6, 1, tzinfo=UTC)
    run = storm_sequence(KNOWN_GRIDS["radolan"], FRAMES, seed=1, end_time=end, timestep_minutes=5)
    to_netcdf(run)  # latitudes and longitudes are worked out once
    for name, write in (("to_netcdf", lambda: to_netcdf(run)), ("copy", run.rain_rate.tobytes)):
        milliseconds, size = _measured(write, repeat)
        print(f"{name:10} {milliseconds:6.0f} ms {size / 1e6:6.1f} MB")


def _measured(write: Callable[[], bytes], repeat: int) -> tuple[float, int]:
    taken, size = [], 0
    for _ in range(repeat):
        start = time.perf_counter()
        size = len(write())
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken), size


if __name__ == "__main__":
    main()
