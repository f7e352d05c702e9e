"""The training data of a model, as its manifest or its checkpoint names it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.repository import read_json
from radar.errors import ArtifactRejected
from training.evaluate.seen import PARTS, Learnt
from training.fit.checkpoint import load_checkpoint


def learnt_by(path: Path) -> Learnt:
    """What the weights of a model file were made from, those of its parents among it.

    The manifest beside the file tells it, or the checkpoint itself. Events of older manifests have a name alone.
    """
    if path.suffix == ".pt":
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
    return [{"name": name, "part": part} for part in PARTS for name in data.get(part) or ()]
