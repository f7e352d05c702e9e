"""Marks of the frames that the feed brought; the newest mark of each series counts."""

from __future__ import annotations

from collections.abc import Mapping

from service.history.codec import SeriesKey

WITHIN_SECONDS = 3600.0
"""Of the newest mark: a feed that was quiet for longer, while another brought frames, has been replaced by it."""
MOST_MARKS = 32
"""As many as there may be series."""


def brought(marks: Mapping[SeriesKey, float]) -> set[SeriesKey]:
    """The series whose marks count, by their times in seconds; with a feed that stands still its last ones do."""
    newest = max(marks.values(), default=0.0)
    return {series for series, at in marks.items() if at >= newest - WITHIN_SECONDS}


def marked(marks: Mapping[SeriesKey, float], series: SeriesKey, now: float) -> dict[SeriesKey, float]:
    """The marks with one more, of now, and without those that no longer count, or that a wrong clock left."""
    kept = {known: at for known, at in marks.items() if now - WITHIN_SECONDS <= at <= now and known != series}
    newest = sorted(kept, key=kept.__getitem__)[-(MOST_MARKS - 1) :]
    return {**{known: kept[known] for known in newest}, series: now}
