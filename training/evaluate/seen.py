"""Events that a model has seen in training, and how that is known; torch is not needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radar.system.digest import sha256_of

if TYPE_CHECKING:
    from radar.sequence import FrameSequence

Learnt = Sequence[Mapping[str, Any]] | None
"""Records of the training data (`training.fit.events.Event.record`); None if it is unknown."""
UNSEEN, UNKNOWN = "no", "unknown"
PARTS = {"train": "trained on it", "validation": "chosen by it"}
"""The use of an event, by its part."""


def seen_before(learnt: Learnt, path: Path, sequence: FrameSequence) -> str:
    """Whether a model has learnt from an event, and how that is known.

    Returns
    -------
    str
        "no", "unknown", or e.g. "trained on it (same file)": by the digest of its file; "(same product and time)"; or
        "(same name)", if nothing better is recorded. "trained on it" takes precedence over "chosen by it". The weather
        in a published data set is not recorded: an event that is not found then is unknown.
    """
    if learnt is None:
        return UNKNOWN
    digest = sha256_of(path)
    found = [(part, how) for part in PARTS for record in learnt if (how := _how(record, part, path, digest, sequence))]
    known = {part: [how for other, how in found if other == part] for part in PARTS}
    for part, hows in known.items():
        if hows:
            return f"{PARTS[part]} ({min(hows, key=_SURENESS.index)})"
    return UNKNOWN if any(record.get("data_set") for record in learnt) else UNSEEN


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
    """Whether a model is known to have learnt from an event."""
    return seen not in (UNSEEN, UNKNOWN)


def marked(model: str, seen: str) -> str:
    """A model's name in a table, with a dagger if it has seen the event."""
    return f"{model} †" if is_seen(seen) else model


def remarks(seen: Mapping[str, str]) -> list[str]:
    """Remarks on the models of an event, by name: those that have seen it, and those of which this is unknown."""
    lines = [f"† {model} has seen this event: {how}" for model, how in seen.items() if is_seen(how)]
    unknown = [model for model, how in seen.items() if how == UNKNOWN]
    return lines + ([f"It is not recorded whether these have seen this event: {', '.join(unknown)}"] if unknown else [])


def seen_of(rows: Iterable[Any]) -> dict[str, str]:
    """The `seen` of each model, from rows that have `model` and `seen`."""
    return {row.model: row.seen for row in rows}
