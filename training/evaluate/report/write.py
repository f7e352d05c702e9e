"""Writing of a report: the page, and its numbers in a file beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.evaluate.event_scores import EventScores
from training.evaluate.report.numbers import report_numbers
from training.evaluate.report.origins import Origin
from training.evaluate.report.page import report_page


def write_report(
    path: Path, scored: Sequence[EventScores], origins: Mapping[str, Origin] | None = None, *, strips: bool = True
) -> None:
    """Write the page to `path`, and every number to the file of the same name with the suffix .json.

    Parameters
    ----------
    path : Path
    scored : sequence of EventScores
    origins : mapping, optional
        The owner of each event's data, shown beside its scores.
    strips : bool
        Show observed and forecast frames.
    """
    numbers = report_numbers(scored, origins or {})
    shown = {event.event: event.strip for event in scored} if strips else {}
    page = report_page(numbers, shown, "Nowcasts of rain, scored")
    path.with_suffix(".json").write_text(json.dumps(numbers, allow_nan=False) + "\n")
    path.write_text(page)
