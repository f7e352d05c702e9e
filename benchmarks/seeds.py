"""Scores of several trainings that differ in the seed alone, and their mean, as one table.

    python -m training evaluate runs/a-1/model.pt EVENTS... --thresholds 1,5 --json a-1.json
    python -m training evaluate runs/a-2/model.pt EVENTS... --thresholds 1,5 --json a-2.json --baselines ''
    ...
    python benchmarks/seeds.py a-1.json a-2.json b-1.json b-2.json

Each file holds one seed of a model, or of several; baselines, which have no seeds, need to be in one file only. For
each event it prints a row for the mean of the seeds of each model and one for each seed: scores averaged over lead
times. A second table has CSI and small-scale power by lead time, of the means.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

Row = dict[str, Any]
"""One object of the JSON of `evaluate`."""

HEAVY, RAIN = 5.0, 1.0
"""mm/h."""
SOON_MINUTES = 30
LEADS = (5, 10, 15, 20, 30, 45, 60)


@dataclass(frozen=True)
class Column:
    """A score at a threshold, averaged over the lead times up to `until`."""

    title: str
    score: str
    threshold: float = RAIN
    until: int = 10_000


COLUMNS = (
    Column("CSI 1 mm/h", "csi"),
    Column("CSI 5 mm/h", "csi", HEAVY),
    Column(f"CSI 5 mm/h to {SOON_MINUTES} min", "csi", HEAVY, SOON_MINUTES),
    Column("MAE", "mae"),
    Column("bias 1 mm/h", "bias"),
    Column("bias 5 mm/h", "bias", HEAVY),
    Column("FSS 1 mm/h", "fss"),
    Column("small-scale power", "small_scale_power"),
)
BY_LEAD = (Column("CSI 1", "csi"), Column("CSI 5", "csi", HEAVY), Column("power", "small_scale_power"))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scores", metavar="SCORES.json", type=Path, nargs="+", help="one file for each seed")
    seeds = [json.loads(path.read_text()) for path in parser.parse_args().scores]
    print("\n".join(tables(seeds)))


def tables(seeds: Sequence[Sequence[Row]]) -> list[str]:
    """Lines of the tables of all events."""
    lines: list[str] = []
    for event in _distinct(chain(*seeds), "event"):
        parts = [[row for row in rows if row["event"] == event] for rows in seeds]
        lines += [f"**{event}**, {parts[0][0]['starts']} starts", "", *_means(parts), "", *_by_lead(parts), ""]
    return lines[:-1]


def _means(seeds: Sequence[Sequence[Row]]) -> list[str]:
    lines = _head(["mean over lead times", *(column.title for column in COLUMNS)])
    for model in _distinct(chain(*seeds), "model"):
        values = [[mean_score(rows, model, column) for column in COLUMNS] for rows in _with(model, seeds)]
        if all(each == values[0] for each in values):
            lines.append(_line(model, values[0]))  # a baseline, or one seed only
            continue
        lines.append(_line(f"**{model}**, mean of {len(values)}", [fmean(each) for each in zip(*values, strict=True)]))
        lines += [_line(f"{model}, {number}", each) for number, each in enumerate(values, start=1)]
    return lines


def _by_lead(seeds: Sequence[Sequence[Row]]) -> list[str]:
    """A row for each lead time; means over the seeds."""
    models = _distinct(chain(*seeds), "model")
    lines = _head(["lead (min)", *(f"{column.title} {model}" for column in BY_LEAD for model in models)])
    for lead in LEADS:
        rows = [[row for row in each if row["lead_minutes"] == lead] for each in seeds]
        if any(rows):
            cells = [
                fmean(mean_score(each, model, column) for each in _with(model, rows))
                for column in BY_LEAD
                for model in models
            ]
            lines.append(_line(str(lead), cells))
    return lines


def _with(model: str, seeds: Iterable[Sequence[Row]]) -> list[Sequence[Row]]:
    """The files that have the model; a baseline's scores are those of the pixels that all methods forecast."""
    return [rows for rows in seeds if any(row["model"] == model for row in rows)]


def mean_score(rows: Iterable[Row], model: str, column: Column) -> float:
    """Undefined scores do not count."""
    found = [
        row[column.score]
        for row in rows
        if row["model"] == model and row["threshold"] == column.threshold and row["lead_minutes"] <= column.until
    ]
    return fmean(value for value in found if value is not None)


def _distinct(rows: Iterable[Row], key: str) -> list[str]:
    return list(dict.fromkeys(row[key] for row in rows))


def _head(titles: Sequence[str]) -> list[str]:
    return ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]


def _line(name: str, values: Iterable[float]) -> str:
    return "| " + " | ".join([name, *(f"{value:.3f}" for value in values)]) + " |"


if __name__ == "__main__":
    main()
