"""One start of a hindcast, done in any process that sees the archive and the store; torch is not needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import numpy.typing as npt

from models.baselines import beside_every_model
from models.forecaster import Forecaster
from models.onnx_forecaster import load_forecaster
from radar.archive.archive import Archive
from radar.archive.file import Series
from radar.counts import STORED, Counts
from radar.errors import ArtifactRejected, IncompleteHistory
from radar.sequence import Float32, FrameSequence, iso, times_after
from radar.system.digest import sha256_of
from training.hindcast.scores import start_sums
from training.hindcast.store import HindcastStore


@dataclass(frozen=True)
class HindcastJob:
    """The common parts of all starts of a hindcast; its paths are valid on all workers."""

    archive: str
    store: str
    model: str
    sha256: str
    series: Series
    input_length: int
    steps: int
    thresholds: tuple[float, ...]


def run_start(job: HindcastJob, start: tuple[int, datetime]) -> None:
    """Forecast from a start, given by number and time, score the forecast, and store both.

    Every forecast is scored in its stored form: in counts.

    Raises
    ------
    IncompleteHistory, UnreadableFile
        The archive has changed, or is damaged.
    ArtifactRejected
        This worker sees another model.
    OSError
        The disk fails.
    """
    index, time = start
    observed = _observed(job, time)
    history = _history(job, time, observed)
    with _ONE_THREAD:
        kept = [kept_as(one.forecast(history, job.steps).rain_rate) for one in _forecasters(job)]
        counts, saturated = zip(*kept, strict=True)
        later = [observed.get(after) for after in times_after(time, job.steps, job.series.timestep_minutes)]
        pixel = job.series.grid.pixel_size_km
        sums = start_sums(counts, saturated, later, job.thresholds, pixel)
    HindcastStore(Path(job.store)).write(index, counts[0], sums)


def kept_as(rain_rate: Float32) -> tuple[Counts, npt.NDArray[np.int64]]:
    """A forecast (K, H, W) in mm/h as counts, and the number of pixels of each frame above the range."""
    counts, above = STORED.to_counts(rain_rate.astype(np.float64))
    return counts, np.count_nonzero(above, axis=(-2, -1))


def _observed(job: HindcastJob, time: datetime) -> dict[datetime, Float32]:
    """The archived frames from a start's first input frame to its last lead time."""
    step = timedelta(minutes=job.series.timestep_minutes)
    first, last = time - (job.input_length - 1) * step, time + job.steps * step
    days = Archive(job.archive).days(job.series.product, job.series.grid.key, first, last)
    shape = job.series.grid.shape
    return {frame.valid_time: frame.rain_rate(shape) for day in days for frame in day.frames(first, last)}


def _history(job: HindcastJob, time: datetime, observed: dict[datetime, Float32]) -> FrameSequence:
    minutes = job.series.timestep_minutes
    before = time - timedelta(minutes=minutes * job.input_length)
    times = tuple(wanted.astimezone(UTC) for wanted in times_after(before, job.input_length, minutes))
    gone = [wanted for wanted in times if wanted not in observed]
    if gone:
        raise IncompleteHistory(
            expected=f"the frame of {iso(gone[0])}, which was in the archive when the hindcast began",
            got="none",
            remedy="prepare it again, or begin another hindcast",
        )
    rain_rate = np.stack([observed[wanted] for wanted in times])
    return FrameSequence(rain_rate, times, job.series.grid, minutes, job.series.product)


def _forecasters(job: HindcastJob) -> tuple[Forecaster, ...]:
    return (_model(job.model, job.sha256), *beside_every_model())


@lru_cache(maxsize=1)
def _model(path: str, sha256: str) -> Forecaster:
    """The model on one thread: starts run in parallel, and sums must not depend on the number of cores."""
    if sha256_of(Path(path)) != sha256:
        raise ArtifactRejected(
            expected=f"the model with sha256 {sha256[:12]}",
            got="another one",
            remedy="give every worker the same files",
        )
    return load_forecaster(Path(path), "cpu", threads=1)


class _OneThread:
    """Keeps OpenCV on one thread while any start is being done.

    Its motion search divides a frame among threads, and its result depends on their number. The setting applies to the
    whole process, in which a worker may do several starts at once.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = self._before = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                cv2.setNumThreads(self._before)


_ONE_THREAD = _OneThread()
