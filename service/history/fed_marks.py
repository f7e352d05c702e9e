"""Marks of the series that feeds bring frames for; the newest mark of each series counts."""

from __future__ import annotations

from collections.abc import Mapping

from service.history.codec import SeriesKey

WITHIN_SECONDS = 3600.0
"""Age before the newest mark: a feed that is quiet for longer while another brings frames was replaced by it."""
MOST_MARKS = 32
"""As many as series."""


def brought(marks: Mapping[SeriesKey, float]) -> set[SeriesKey]:
    """The series whose marks count, by their times in seconds; while a feed stands still its last marks count."""
    newest = max(marks.values(), default=0.0)
    return {series for series, at in marks.items() if at >= newest - WITHIN_SECONDS}


def marked(marks: Mapping[SeriesKey, float], series: SeriesKey, now: float) -> dict[SeriesKey, float]:
    """The marks with a new one for now, and without outdated ones and those from a wrong clock."""
    kept = {known: at for known, at in marks.items() if now - WITHIN_SECONDS <= at <= now and known != series}
    newest = sorted(kept, key=kept.__getitem__)[-(MOST_MARKS - 1) :]
    return {**{known: kept[known] for known in newest}, series: now}
