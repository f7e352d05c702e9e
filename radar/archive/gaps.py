"""Where frames are missing, and the runs between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from radar.archive.frame import ArchivedFrame

Gap = tuple[datetime, datetime]
"""The first and the last missing time, UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def find_gaps(
    times: Sequence[datetime], timestep_minutes: int, start: datetime | None = None, end: datetime | None = None
) -> list[Gap]:
    """The gaps between times, and before and after them where `start` and `end` say so.

    Times are wanted in the phase of the first one, or on whole timesteps where there is none.
    """
    step = timedelta(minutes=timestep_minutes)
    phase = times[0] if times else _EPOCH
    edges = list(times)
    if start is not None:
        edges.insert(0, start + (phase - start) % step - step)
    if end is not None:
        edges.append(end - (end - phase) % step + step)
    return [(before + step, after - step) for before, after in pairwise(edges) if after - before > step]


def runs(frames: Iterable[ArchivedFrame], timestep_minutes: int, longest: int) -> Iterator[list[ArchivedFrame]]:
    """Frames that follow each other by one timestep, at most `longest` at once."""
    run: list[ArchivedFrame] = []
    for frame in frames:
        if run and (
            len(run) >= longest or frame.valid_time - run[-1].valid_time != timedelta(minutes=timestep_minutes)
        ):
            yield run
            run = []
        run.append(frame)
    if run:
        yield run
