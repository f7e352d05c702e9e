"""Probabilities of rain: from the neighbourhood in a run, and from earlier runs for the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from radar.neighbourhood import pooled_share
from radar.sequence import Float32
from service.errors import RunExpired, UnknownRun
from service.runs.reader import NO_DATA, THRESHOLDS, WHOLE, Classes, RunReader, Window
from service.runs.run import Run

METHOD = "neighbourhood and time-lagged runs"


class Member(NamedTuple):
    """A frame of the sample: of which run, and how many minutes after its reference time."""

    run: Run
    minutes: int


def half_width_km(lead_minutes: float) -> float:
    """Half the edge of the square that counts as near: it grows with the lead time.

    Measured by benchmarks/reliability.py; see docs/service.md.
    """
    return 1 + lead_minutes / 6


def members(run: Run, earlier: Sequence[Run], lead_minutes: int) -> list[Member]:
    """The frames of these runs for one valid time, that of `run` first."""
    lagged = [
        Member(other, lead_minutes + round((run.reference_time - other.reference_time).total_seconds() / 60))
        for other in earlier
    ]
    return [Member(run, lead_minutes), *(member for member in lagged if member.minutes in member.run.lead_minutes)]


def probabilities(
    reader: RunReader,
    run: Run,
    earlier: Sequence[Run],
    lead_minutes: int,
    thresholds: Sequence[float] = THRESHOLDS,
    window: Window = WHOLE,
) -> list[Float32]:
    """For each threshold, fields (H, W) of what the window cuts out, 0 to 1; NaN where the run has no forecast."""
    half = round(half_width_km(lead_minutes) / run.grid.pixel_size_km)
    wide, inner = _widened(window, run.grid.shape, half)
    first, *lagged = members(run, earlier, lead_minutes)
    found = [_classes(reader, member, wide) for member in lagged]
    usable = [reader.classes(first.run, first.minutes)[wide], *(part for part in found if part is not None)]
    known = [part != NO_DATA for part in usable]
    fields = []
    for threshold in thresholds:
        reached = THRESHOLDS.index(threshold)
        exceeding = [(part > reached) & there for part, there in zip(usable, known, strict=True)]
        fields.append(pooled_share(exceeding, known, half)[inner])
    return fields


def _classes(reader: RunReader, member: Member, window: Window) -> Classes | None:
    try:
        return reader.classes(member.run, member.minutes)[window]
    except (UnknownRun, RunExpired):
        return None  # an earlier one that went meanwhile


def _widened(window: Window, shape: tuple[int, int], margin: int) -> tuple[Window, Window]:
    """The window with a margin on all sides, as far as the grid goes, and the window's place in that."""
    wide, inner = [], []
    for part, size in zip(window, shape, strict=True):
        start, stop, _ = part.indices(size)
        first = max(0, start - margin)
        wide.append(slice(first, min(size, stop + margin)))
        inner.append(slice(start - first, stop - first))
    return (wide[0], wide[1]), (inner[0], inner[1])
