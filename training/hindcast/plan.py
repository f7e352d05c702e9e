"""The plan of a hindcast: one series of an archive, and every start with complete input frames."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from models.baselines import beside_every_model
from models.card import ModelCard
from models.recurrent import check_fit
from radar.archive.archive import Archive
from radar.archive.file import Series
from radar.errors import IncompleteHistory, InvalidRequest
from radar.scores.sums import THRESHOLDS
from radar.sequence import iso
from radar.times import runs
from training.data.archive import only_series
from training.evaluate.leads import steps_to


class LeftOut(NamedTuple):
    """Consecutive starts without their input frames: the first, the last, and their number."""

    first: datetime
    last: datetime
    starts: int


@dataclass(frozen=True)
class HindcastQuestion:
    """The selection of starts, leads and scores of a hindcast.

    Parameters
    ----------
    lead_minutes : int
        The longest lead time.
    stride : int
        Timesteps from one start to the next, counted from the first frame of the archive.
    thresholds : tuple of float
        mm/h.
    product, grid : str or None
        May be left out if the archive has only one series.
    """

    lead_minutes: int = 60
    stride: int = 1
    thresholds: tuple[float, ...] = THRESHOLDS
    product: str | None = None
    grid: str | None = None

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise _invalid("a stride of 1 timestep or more", str(self.stride), "leave --stride out for every start")
        low = not self.thresholds or min(self.thresholds) <= 0
        if low or list(self.thresholds) != sorted(set(self.thresholds)):
            given = ", ".join(f"{threshold:g}" for threshold in self.thresholds) or "none"
            raise _invalid("thresholds above 0 mm/h, each once, in order", given, "name them like 0.1,1,5,10")


@dataclass(frozen=True)
class HindcastPlan:
    """All starts of a hindcast, with everything that is known before the work.

    Parameters
    ----------
    model : str
        Name and version.
    sha256 : str
        Digest of the model's file.
    series : Series
    input_length : int
        The most frames before a start that the model or a baseline reads.
    steps : int
        Number of lead times.
    stride : int
    thresholds : tuple of float
        mm/h.
    starts : tuple of datetime
        Times of the last input frames, UTC, in order.
    left_out : tuple of LeftOut
    """

    model: str
    sha256: str
    series: Series
    input_length: int
    steps: int
    stride: int
    thresholds: tuple[float, ...]
    starts: tuple[datetime, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def forecasters(self) -> tuple[str, ...]:
        """Names of the model and the baselines, in the order of their scores."""
        return (self.model, *(baseline.name for baseline in beside_every_model()))

    @property
    def lead_minutes(self) -> tuple[int, ...]:
        """The lead time of each step."""
        return tuple(self.series.timestep_minutes * step for step in range(1, self.steps + 1))

    def description(self) -> Mapping[str, Any]:
        """The properties that have to be equal to resume a store, as JSON values."""
        return {
            "model": self.model,
            "model_sha256": self.sha256,
            "product": self.series.product,
            "grid": self.series.grid.key,
            "lead_minutes": self.lead_minutes[-1],
            "stride": self.stride,
            "thresholds": list(self.thresholds),
            "starts": len(self.starts),
            "starts_sha256": hashlib.sha256(" ".join(map(iso, self.starts)).encode()).hexdigest(),
        }


def make_plan(archive: Archive, card: ModelCard, sha256: str, question: HindcastQuestion) -> HindcastPlan:
    """Every start that can be forecast.

    Raises
    ------
    InvalidRequest, GridMismatch, IncompleteHistory
        The model is for other frames or shorter lead times, no start has its input frames, or the question does not
        name one of several series.
    UnknownProduct
        The archive is empty, or has no such series.
    """
    series = only_series(archive, question.product, question.grid, "name it with --product and --grid")
    steps = steps_to(question.lead_minutes, series.timestep_minutes)
    times = archive.times(series.product, series.grid.key)
    length = max(card.input_length, *(baseline.input_length for baseline in beside_every_model()))
    step = timedelta(minutes=series.timestep_minutes)
    starts = possible_starts(times, step, length, question.stride)
    if not starts:
        raise IncompleteHistory(
            expected=f"{length} consecutive frames of {series.product} on {series.grid.key}",
            got=f"{len(times)} frames, with gaps or too few",
            remedy="prepare more of them into the archive",
        )
    newest = archive.read(series.product, series.grid.key, starts[0], starts[0])
    check_fit(card, newest, steps)
    return HindcastPlan(
        model=f"{card.name}/{card.version}",
        sha256=sha256,
        series=series,
        input_length=length,
        steps=steps,
        stride=question.stride,
        thresholds=question.thresholds,
        starts=tuple(starts),
        left_out=tuple(_left_out(times, starts, step * question.stride)),
    )


def possible_starts(times: Sequence[datetime], step: timedelta, length: int, stride: int) -> list[datetime]:
    """Times that end `length` consecutive ones, at every `stride`-th step from the first time."""
    ends = (time for run in runs(times, step) for time in run[length - 1 :])
    return [time for time in ends if (time - times[0]) % (stride * step) == timedelta() or stride == 1]


def _left_out(times: Sequence[datetime], starts: Sequence[datetime], spacing: timedelta) -> list[LeftOut]:
    """The starts from first to last frame that are not in `starts`; consecutive ones are grouped."""
    there = set(starts)
    every = (times[0] + k * spacing for k in range((times[-1] - times[0]) // spacing + 1))
    missing = (time for time in every if time not in there)
    return [LeftOut(run[0], run[-1], len(run)) for run in runs(missing, spacing)]


def _invalid(expected: str, got: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(expected=expected, got=got, remedy=remedy)
