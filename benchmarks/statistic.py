"""Statistics and probabilities of a run with a distribution, beside the neighbourhood method: 900x900, 24 leads.

    python benchmarks/statistic.py [--repeat 5]

The run is synthetic rain, dressed as of a model with six thresholds. All parts are read from the store's bytes, with an
empty cache. Prints medians over the repeats in milliseconds, their ratio to the neighbourhood method's, and megabytes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from models.exceedance.dressing import Dressing
from models.exceedance.odds import Statistic, quantised
from radar.extrapolation.motion import smooth
from radar.grid import KNOWN_GRIDS
from radar.rain import RainScaling
from radar.synthetic import storm_sequence
from service.history.codec import SeriesKey, encode
from service.runs.cache import Cache
from service.runs.coverage import covered_by
from service.runs.odds.codec import pack
from service.runs.odds.offered import offered_by
from service.runs.points import describe_places
from service.runs.probability import probabilities
from service.runs.reader import RunReader
from service.runs.run import Run, WholeRun, series_tag
from service.runs.runs import Runs
from service.runs.store import MemoryRuns

LEADS, LEAD = 24, 60
THRESHOLDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
END = datetime(2026, 6, 1, tzinfo=UTC)
GRID = KNOWN_GRIDS["radolan"]
SCALING = RainScaling(a=1, b=1, lowest_dbz=-15, highest_dbz=30, dry_below=0.1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    own, *others = [_run(END - lag * timedelta(minutes=5), THRESHOLDS if not lag else ()) for lag in range(4)]
    plain = _run(END, ())
    print(f"frames {sum(len(frame.data) for frame in own.frames.values()) / 1e6:.1f} MB, ", end="")
    print(f"odds {sum(map(len, own.odds.values())) / 1e6:.1f} MB")
    reference = 0.0
    for whole in (plain, own):
        how = "own" if whole.run.thresholds else "neighbourhood"
        rows: dict[str, Callable[[RunReader], object]] = {
            f"{how}: one probability": partial(_probability, run=whole.run),
            f"{how}: a place": partial(_place, run=whole.run),
        }
        for statistic in offered_by(whole.run):
            rows[f"{how}: {statistic}"] = partial(_statistic, run=whole.run, statistic=statistic)
        for name, read in rows.items():
            milliseconds = _measured(read, [whole, *others], repeat)
            reference = reference or milliseconds
            print(f"{name:30} {milliseconds:7.1f} ms {milliseconds / reference:6.2f}")


def _run(end: datetime, thresholds: tuple[float, ...]) -> WholeRun:
    last = end + LEADS * timedelta(minutes=5)
    rain = storm_sequence(GRID, 1 + LEADS, seed=1, end_time=last, timestep_minutes=5)
    leads = tuple(range(5, 5 * LEADS + 1, 5))
    tag = series_tag(SeriesKey("RY", GRID.key))
    run = Run(
        id=f"{tag}.{end:%Y%m%dT%H%MZ}.dressed-1.{len(thresholds):012x}",
        product="RY",
        grid=GRID,
        reference_time=end,
        timestep_minutes=5,
        model="dressed",
        version="1",
        method="model",
        history_times=(end,),
        observed_minutes=(0,),
        lead_minutes=leads,
        degraded=None,
        made_at=end,
        thresholds=thresholds,
    )
    frames = dict(zip((0, *leads), encode(rain), strict=True))
    odds = {}
    if thresholds:
        count = len(thresholds)
        dressing = Dressing(slopes=((9.0,) * count,), offsets=((-0.5,) * count,))
        units = SCALING.to_network(np.array(thresholds, np.float32))
        for lead, frame in zip(leads, rain.rain_rate[1:], strict=True):
            base = SCALING.to_network(smooth(frame, 2.0))
            odds[lead] = pack(quantised(dressing.log_odds(base, units, 1)))
    return WholeRun(run, frames, covered_by(frames.values(), GRID.shape, None), odds)


def _probability(reader: RunReader, run: Run) -> object:
    return probabilities(reader, run, reader.earlier(run), LEAD, [1.0])


def _statistic(reader: RunReader, run: Run, statistic: Statistic) -> object:
    return reader.statistic(run, [LEAD], statistic)


def _place(reader: RunReader, run: Run) -> object:
    return list(describe_places(reader, run, reader.earlier(run), [52.5], [13.4]))


def _measured(read: Callable[[RunReader], object], wholes: list[WholeRun], repeat: int) -> float:
    taken = []
    for _ in range(repeat + 1):
        store = MemoryRuns(timedelta(hours=6))
        for whole in wholes:
            store.put(whole)
        reader = RunReader(Runs(store), Cache(2**29))
        start = time.perf_counter()
        read(reader)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken[1:])  # the first one makes the tables, once for a process


if __name__ == "__main__":
    main()
