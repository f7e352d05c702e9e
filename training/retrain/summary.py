"""The result of a run as text, for a terminal or a mail: the table, the rules, the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radar.scores.table import shown_in
from training.evaluate.markdown import cell, markdown_table
from training.retrain.conclude import Outcome


def summary(outcome: Outcome) -> str:
    """Markdown: scores as means over lead times, gains with their intervals, every rule, and the decision."""
    rules = [[("yes" if rule["holds"] else "NO"), rule["name"], rule["says"]] for rule in outcome.gate["rules"]]
    parts = [
        *_scores(outcome.gate["means"]),
        *_gains(outcome.gate["numbers"]),
        markdown_table(["holds", "rule", "numbers"], rules),
        f"{outcome.decision}: {outcome.content['model']} {outcome.content['version']}, "
        f"champion was {outcome.content['parent']}; all of it is in {outcome.run}",
    ]
    return "\n\n".join(parts)


def _scores(means: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table for each series of the test part."""
    tables, scores = [], shown_in("headline")
    for event in dict.fromkeys(row["event"] for row in means):
        rows = [row for row in means if row["event"] == event]
        body = [
            [f"{row['threshold']:g}", row["model"], *(cell(row[score.name]) for score in scores)]
            for row in sorted(rows, key=lambda row: float(row["threshold"]))
        ]
        tables.append(
            f"{event}, {rows[0]['starts']} starts, means over lead times to {rows[0]['lead_minutes'][-1]} min"
        )
        tables.append(markdown_table(["mm/h", "model", *(score.title for score in scores)], body))
    return tables


def _gains(numbers: Mapping[str, Any]) -> list[str]:
    if not numbers:
        return []
    body = [
        [f"{row['threshold']:g}", row["over"], *(cell(row[name], "+.4f") for name in ("value", "low", "high"))]
        for row in numbers["gains"]
    ]
    return [markdown_table(["mm/h", f"gain in {numbers['score']} over", "value", "low", "high"], body)]
