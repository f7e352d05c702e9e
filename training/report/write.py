"""Write a report: the page, and beside it the numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from training.event_scores import EventScores
from training.report.numbers import report_numbers
from training.report.page import report_page


def write_report(path: Path, scored: Sequence[EventScores]) -> None:
    """Write the page to `path`, and every number to the file of that name that ends in .json."""
    numbers = report_numbers(scored)
    strips = {event.event: event.strip for event in scored}
    page = report_page(numbers, strips, "Nowcasts of rain, scored")
    path.with_suffix(".json").write_text(json.dumps(numbers, allow_nan=False) + "\n")
    path.write_text(page)
