"""The end of a run in text, for a terminal or a mail: the table, the rules, the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.retrain.conclude import Outcome

_SHOWN = {"csi": "CSI", "fss": "FSS", "bias": "bias", "mae": "MAE"}


def summary(outcome: Outcome) -> str:
    """Markdown: scores as means over lead times, gains with their intervals, every rule, and the decision."""
    rules = [[("yes" if rule["holds"] else "NO"), rule["name"], rule["says"]] for rule in outcome.gate["rules"]]
    parts = [
        *_scores(outcome.gate["means"]),
        *_gains(outcome.gate["numbers"]),
        _table(["holds", "rule", "numbers"], rules),
        f"{outcome.decision}: {outcome.content['model']} {outcome.content['version']}, "
        f"champion was {outcome.content['parent']}; all of it is in {outcome.run}",
    ]
    return "\n\n".join(parts)


def _scores(means: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table for each series of the test part."""
    tables = []
    for event in dict.fromkeys(row["event"] for row in means):
        rows = [row for row in means if row["event"] == event]
        body = [
            [f"{row['threshold']:g}", row["model"], *(_number(row[name]) for name in _SHOWN)]
            for row in sorted(rows, key=lambda row: float(row["threshold"]))
        ]
        tables.append(
            f"{event}, {rows[0]['starts']} starts, means over lead times to {rows[0]['lead_minutes'][-1]} min"
        )
        tables.append(_table(["mm/h", "model", *_SHOWN.values()], body))
    return tables


def _gains(numbers: Mapping[str, Any]) -> list[str]:
    if not numbers:
        return []
    body = [
        [f"{row['threshold']:g}", row["over"], *(_number(row[name], "+.4f") for name in ("value", "low", "high"))]
        for row in numbers["gains"]
    ]
    return [_table(["mm/h", f"gain in {numbers['score']} over", "value", "low", "high"], body)]


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else format(value, form)
