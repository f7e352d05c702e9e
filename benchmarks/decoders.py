"""The cost of reading HDF5 in a child process: python benchmarks/decoders.py.

Prints milliseconds (medians) for one frame on DWD's grid of 1200x1100: read in this process, read in a child that
rests, and read in one that has to be started first.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from radar.demo import floor_to_step
from radar.files.odim import read_composite, write_odim
from radar.frame import frames_of
from radar.grid import grid_named
from radar.sequence import FrameSequence, times_after
from radar.synthetic import storm_frames
from service.bodies.hdf5_pool import Decoders
from service.context import now_utc

_REPEATS = 40


def main() -> None:
    """Measure and print."""
    data, decoders = _composite(), Decoders()
    decoders.start()
    here, there = [], []
    for _ in range(_REPEATS):  # in turn, so that both meet the same machine
        here.append(_milliseconds(lambda: read_composite(data, "f")))
        there.append(_milliseconds(lambda: decoders.read(data, "f")))
    decoders.close()
    started = [_milliseconds(lambda: _once(data)) for _ in range(_REPEATS // 8)]
    print(f"{len(data) / 1e6:.2f} MB in, {4 * 1200 * 1100 / 1e6:.2f} MB out, milliseconds:")
    for name, times in (("in this process", here), ("in a child", there), ("in a child started for it", started)):
        print(f"  {name:<26} {statistics.median(times):7.1f}")


def _composite() -> bytes:
    grid = grid_named("de1200")
    rain = next(storm_frames(grid, seed=1, timestep_minutes=5))[None]
    (frame,) = frames_of(FrameSequence(rain, times_after(floor_to_step(now_utc()), 1, 5), grid, 5, "RY"))
    return write_odim(frame)


def _once(data: bytes) -> None:
    decoders = Decoders()
    decoders.read(data, "f")
    decoders.close()


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
