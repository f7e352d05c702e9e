"""Decisions on a model's versions, of retraining and of the guard: <name>/decisions.jsonl, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.repository import check_name, one_writer
from radar.system.journal import append_lines, journal_lines


def record_decision(repository: Path, name: str, decision: Mapping[str, Any]) -> None:
    """Append a decision; it is on disk when this returns. Decisions with the same "id" count once."""
    path = repository / check_name(name) / "decisions.jsonl"
    with one_writer(path):
        if any(known.get("id") == decision["id"] for known in read_decisions(repository, name)):
            return
        append_lines(path, [decision])


def read_decisions(repository: Path, name: str) -> Iterator[dict[str, Any]]:
    """All decisions of a model; unfinished lines of a killed process are skipped."""
    return journal_lines(repository / check_name(name) / "decisions.jsonl")
