"""A run: a forecast that is made once, with its inputs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from models.baselines import StandIn
from models.card import ModelCard
from radar.grid import Grid
from service.history.codec import SeriesKey, StoredFrame, check_grid, series_of_header

Method = Literal["model"] | StandIn
MOST_EARLIER = 3
"""The most earlier runs that are pooled with a run for its probabilities; older ones would not help."""
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{1,80}\.\d{8}T\d{4}Z\.[A-Za-z0-9_-]{1,170}\.[0-9a-f]{12}")
_LONGEST_MINUTES = 31 * 24 * 60
Minutes = Annotated[int, Field(ge=-_LONGEST_MINUTES * 100, le=_LONGEST_MINUTES * 100)]
Threshold = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_MOST_THRESHOLDS = 256
_ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
"""What is said in the headers of answers."""


class Run(BaseModel):
    """A run's index: everything but its frames. It never changes.

    `history_times` are the observed frames that the forecast read; `observed_minutes` (0 and below) the observed frames
    that the run keeps beside its `lead_minutes`, both counted from `reference_time`. `method` is what made the
    forecast, "model" if it was the named one. An `interim` run answers until the first one of a series is made.
    `thresholds` (mm/h, rising) are those whose odds it has for each of its leads; without any the forecast has no
    distribution, as those of former versions.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    product: str
    grid: Grid
    reference_time: AwareDatetime
    timestep_minutes: int = Field(gt=0, le=_LONGEST_MINUTES)
    model: str = Field(pattern=_ONE_LINE)
    version: str = Field(pattern=_ONE_LINE)
    method: Method
    history_times: tuple[AwareDatetime, ...]
    observed_minutes: tuple[Minutes, ...]
    lead_minutes: tuple[Minutes, ...] = Field(min_length=1)
    degraded: str | None = Field(pattern=_ONE_LINE)
    made_at: AwareDatetime
    interim: bool = False
    thresholds: Annotated[tuple[Threshold, ...], Field(max_length=_MOST_THRESHOLDS)] = ()

    @field_validator("grid")
    @classmethod
    def _check_grid(cls, grid: Grid) -> Grid:
        check_grid(grid)
        return grid

    @model_validator(mode="after")
    def _check_times(self) -> Run:
        """Refuse impossible times here, before they are requested."""
        try:
            times = [self.valid_time(minutes) for minutes in (*self.observed_minutes, *self.lead_minutes)]
        except OverflowError:
            raise ValueError("minutes that end in no calendar's time") from None
        if len(set(times)) < len(times):
            raise ValueError("minutes that occur twice")
        return self

    @model_validator(mode="after")
    def _check_thresholds(self) -> Run:
        if any(low >= high for low, high in pairwise(self.thresholds)):
            raise ValueError("thresholds that do not rise")
        return self

    @property
    def series(self) -> SeriesKey:
        """Product and grid."""
        return SeriesKey(self.product, self.grid.key)

    @property
    def end(self) -> datetime:
        """The time of its last frame, UTC, after which the run has no forecast."""
        return self.valid_time(max(self.lead_minutes, default=0))

    def valid_time(self, minutes: int) -> datetime:
        """The time of the frame that many minutes after the reference time, UTC."""
        return self.reference_time + timedelta(minutes=minutes)


@dataclass(frozen=True)
class WholeRun:
    """A run with its frames.

    Parameters
    ----------
    run : Run
    frames : mapping of int to StoredFrame
        Frames by minutes from the reference time: observed at 0 and below, forecast above.
    covered : bytes
        The pixels that a radar has ever covered; see `service.runs.coverage`.
    odds : mapping of int to bytes
        The odds of `run.thresholds` by lead minutes, see `service.runs.odds.codec`; empty without a distribution.
    """

    run: Run
    frames: Mapping[int, StoredFrame]
    covered: bytes
    odds: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of its frames, its mask and its odds."""
        frames = sum(len(frame.data) for frame in self.frames.values())
        return len(self.covered) + frames + sum(map(len, self.odds.values()))


def run_id(stored: Sequence[StoredFrame], card: ModelCard, steps: int, *, interim: bool = False) -> str:
    """The id of the run that starts from these frames: the same inputs and model give the same id on any replica.

    Its form is product.grid.time.model-version.digest; characters that are invalid in a URL are replaced.
    """
    newest = stored[-1].header
    model = f"{_plain(card.name)}-{_plain(card.version)}"
    time = f"{newest.valid_time:%Y%m%dT%H%MZ}"
    return f"{series_tag(series_of_header(newest))}.{time}.{model}.{_digest(stored, card, steps, interim)}"


def earlier_runs(run: Run, known: Sequence[Run]) -> list[Run]:
    """The runs whose frames are pooled with a run for its probabilities: none with one that has a distribution.

    They are up to `MOST_EARLIER` runs made from older frames, nearest first; of runs for one time the one made last.
    """
    if run.thresholds:
        return []
    older = [other for other in known if other.reference_time < run.reference_time and other.grid == run.grid]
    # `known` begins with the run made last, and a dict keeps the last value of a key.
    by_time = {other.reference_time: other for other in reversed(older)}
    return [by_time[time] for time in sorted(by_time, reverse=True)][:MOST_EARLIER]


def series_tag(series: SeriesKey) -> str:
    """The beginning of the ids of a series' runs; no two series share one."""
    return f"{_plain(series.product)}.{_plain(series.grid)}"


def tag_of(run_id: str) -> str | None:
    """The series' tag in an id, or None for what cannot be an id."""
    return ".".join(run_id.split(".")[:2]) if _ID.fullmatch(run_id) else None


def _digest(stored: Sequence[StoredFrame], card: ModelCard, steps: int, interim: bool) -> str:
    digest = hashlib.sha256(f"{card.graph_sha256} {steps} {interim}".encode())
    for frame in stored:
        digest.update(frame.header.model_dump_json(exclude={"stored_at"}).encode())  # it may come again
        digest.update(frame.data)
    return digest.hexdigest()[:12]


def _plain(text: str) -> str:
    """A text in the form of ids; a changed one gets a digest, so that different texts stay different."""
    if _PLAIN.fullmatch(text):
        return text
    return re.sub("[^A-Za-z0-9_-]", "-", text)[:48] + "-" + hashlib.sha256(text.encode()).hexdigest()[:8]
