"""The cost of verification: processor time and bytes of the ledger for one lead time of a national run.

    python benchmarks/verification.py [--size 900] [--repeat 5]

Synthetic storms stand in for observation and forecasts; the served run has probabilities from four runs.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from models.baselines import Extrapolation
from radar.extrapolation.neighbourhood import pooled_shares
from radar.grid import Grid
from radar.ledger.ledger import EXTRAPOLATION, PERSISTENCE, LedgerFollower, LedgerWriter, ScoreRecord
from radar.scores.sums import THRESHOLDS
from radar.sequence import FrameSequence, times_after
from radar.synthetic import storm_frames
from service.history.codec import decode_one, encode
from service.verification.collect import Forecasts, compare

START = datetime(2017, 8, 16, tzinfo=UTC)


def main() -> None:
    """Measure, and print a line for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=900, help="rows and columns")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    grid = Grid("square", (options.size, options.size), 1.0)
    storm = storm_frames(grid, seed=1, timestep_minutes=5)
    frames = FrameSequence(np.stack([next(storm) for _ in range(6)]), times_after(START, 6, 5), grid, 5, "RY")
    stored = encode(frames)
    rain = [decode_one(frame) for frame in stored]

    def probabilities() -> dict[float, np.ndarray]:
        known = [np.isfinite(frame) for frame in rain[:4]]
        exceeding = [[frame >= threshold for frame in rain[:4]] for threshold in THRESHOLDS]
        return dict(zip(THRESHOLDS, pooled_shares(exceeding, known, 24, [16, 10, 6, 4]), strict=True))

    judged = {"model/1": rain[0], PERSISTENCE: rain[1], EXTRAPOLATION: rain[2]}
    said = probabilities()
    sums = compare(Forecasts("model/1", judged, {}, said), rain[5], 1.0)
    run = f"RY.square.{START:%Y%m%dT%H%MZ}.ms-convlstm-1.0123456789ab"
    show("decoding 4 frames", lambda: [decode_one(frame) for frame in stored[:4]], options.repeat)
    show("probabilities of 4 thresholds from 4 runs", probabilities, options.repeat)
    show("comparing 3 forecasts", lambda: compare(Forecasts("model/1", judged, {}, said), rain[5], 1.0), options.repeat)
    show(
        "an extrapolation of 24 lead times, once a run",
        lambda: Extrapolation().forecast(frames, 24),
        max(1, options.repeat // 3),
    )
    with TemporaryDirectory() as folder:
        LedgerWriter(Path(folder)).append(ScoreRecord(run, "RY", "square", START, 60, "model/1", "model", sums))
        (path,) = Path(folder).iterdir()
        size = path.stat().st_size
        path.write_bytes(path.read_bytes() * 1000)
        show("reading 1000 records", lambda: list(LedgerFollower(Path(folder)).read()), options.repeat)
    print(f"a record: {size} bytes; {size * 24 * 288 / 1e6:.1f} MB a day of 24 lead times every 5 minutes")


def show(what: str, work: object, repeat: int) -> None:
    """Print the median processor and wall time of some work."""
    assert callable(work)
    found = []
    for _ in range(repeat):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        found.append((time.process_time() - processor, time.perf_counter() - wall))
    processor, wall = np.median(found, axis=0)
    print(f"{what}: {1000 * processor:.0f} ms of processor time, {1000 * wall:.0f} ms")


if __name__ == "__main__":
    main()
