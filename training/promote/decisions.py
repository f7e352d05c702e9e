"""Decisions on a model's versions, of retraining and of the guard: <name>/decisions.jsonl, oldest first."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.repository import check_name, one_writer
from radar.system.regular_file import parse_json, read_lines


def record_decision(repository: Path, name: str, decision: Mapping[str, Any]) -> None:
    """Append a decision, on the disk when this returns; one whose "id" was recorded before counts once."""
    path = repository / check_name(name) / "decisions.jsonl"
    with one_writer(path):
        if any(known.get("id") == decision["id"] for known in read_decisions(repository, name)):
            return
        with path.open("ab") as file:
            # A line that a killed process left unfinished is ended first; readers pass over it.
            whole = not path.stat().st_size or path.read_bytes().endswith(b"\n")
            file.write((b"" if whole else b"\n") + json.dumps(decision, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def read_decisions(repository: Path, name: str) -> Iterator[dict[str, Any]]:
    """All decisions of a model; lines that a killed process left unfinished are passed over."""
    path = repository / check_name(name) / "decisions.jsonl"
    for line in read_lines(path):
        try:
            content = parse_json(line)
        except ValueError:
            continue
        if isinstance(content, dict):
            yield content
