"""Which events a model has seen in training, as far as its manifest or checkpoint tells, and how that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from models.repository import read_json
from radar.archive_manifest import sha256
from radar.errors import ArtifactRejected
from radar.sequence import FrameSequence

Learnt = Sequence[Mapping[str, Any]] | None
"""Records of what was learnt from (`training.events.Event.record`); None where nobody knows."""
UNSEEN, UNKNOWN = "no", "unknown"
_PARTS = {"train": "trained on it", "validation": "chosen by it"}


def learnt_by(path: Path) -> Learnt:
    """What the weights of a model file were made from, those of its parents among it.

    The manifest beside the file tells it, or the checkpoint itself. Events of older manifests have a name alone.
    """
    if path.suffix == ".pt":
        from training.checkpoint import load_checkpoint

        _, config, notes = load_checkpoint(path)
        data = {"train": config.data.train, "validation": config.data.validation}
        told = [*notes.get("data", []), *_named(data)]
        return told or None
    manifest = path.with_name("manifest.json")
    return _of_version(manifest, set()) if manifest.is_file() else None


def _of_version(path: Path, seen: set[Path]) -> Learnt:
    """The records of a version and of its parents, as far back as the repository has them."""
    try:
        manifest = read_json(path)
    except (ArtifactRejected, OSError):
        return None
    told = [*(manifest.get("data") or []), *_named((manifest.get("configuration") or {}).get("data") or {})]
    parent = str(manifest.get("parent") or "")
    if parent:
        before = path.parents[2] / parent / "manifest.json"
        known = _of_version(before, {*seen, path}) if before not in seen else None
        if known is None and not told:
            return None
        told += known or []
    return told or None


def _named(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Events that a configuration names."""
    return [{"name": name, "part": part} for part in _PARTS for name in data.get(part) or ()]


def seen_before(learnt: Learnt, path: Path, sequence: FrameSequence) -> str:
    """Whether an event was learnt from, and how that is known.

    Returns
    -------
    str
        "no", "unknown", or as "trained on it (same file)": by the digest of its file; "(same product and time)"; or
        "(same name)", where nothing better is recorded. Having been trained on counts before chosen by.
    """
    if learnt is None:
        return UNKNOWN
    digest = sha256(path)
    found = [(part, how) for part in _PARTS for record in learnt if (how := _how(record, part, path, digest, sequence))]
    known = {part: [how for other, how in found if other == part] for part in _PARTS}
    for part, hows in known.items():
        if hows:
            return f"{_PARTS[part]} ({min(hows, key=_SURENESS.index)})"
    return UNSEEN


_SURENESS = ("same file", "same product and time", "same name")


def _how(record: Mapping[str, Any], part: str, path: Path, digest: str, sequence: FrameSequence) -> str | None:
    if record.get("part") != part:
        return None
    if record.get("sha256") == digest:
        return "same file"
    if record.get("product") and record["product"] == sequence.product and _overlap(record, sequence.valid_times):
        return "same product and time"
    return "same name" if record.get("name") == path.name and "sha256" not in record else None


def _overlap(record: Mapping[str, Any], times: Sequence[datetime]) -> bool:
    first, last = (datetime.fromisoformat(str(record[end])) for end in ("first", "last"))
    return first <= times[-1] and times[0] <= last


def is_seen(seen: str) -> bool:
    """Whether it is known that an event was learnt from."""
    return seen not in (UNSEEN, UNKNOWN)


def marked(model: str, seen: str) -> str:
    """A model's name in a table; with a dagger where it has seen the event."""
    return f"{model} †" if is_seen(seen) else model


def remarks(seen: Mapping[str, str]) -> list[str]:
    """What is to be said of the models of an event, by their names: who has seen it, and of whom nobody knows."""
    lines = [f"† {model} has seen this event: {how}" for model, how in seen.items() if is_seen(how)]
    unknown = [model for model, how in seen.items() if how == UNKNOWN]
    return lines + ([f"What was learnt from is not recorded: {', '.join(unknown)}"] if unknown else [])


def seen_of(rows: Iterable[Any]) -> dict[str, str]:
    """By model, of rows that have `model` and `seen`."""
    return {row.model: row.seen for row in rows}
