"""The training data of a model, from its manifest or its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.repository import read_json
from radar.errors import ArtifactRejected
from training.evaluate.seen import PARTS, Learnt
from training.fit.checkpoint import load_checkpoint


def learnt_by(path: Path) -> Learnt:
    """The records of a model file's training data, including those of its parents.

    They are in the manifest beside the file, or in the checkpoint itself. Events of older manifests have only a name.
    """
    if path.suffix == ".pt":
        _, config, notes = load_checkpoint(path)
        data = {"train": config.data.train, "validation": config.data.validation}
        records = [*notes.get("data", []), *_named(data)]
        return records or None
    manifest = path.with_name("manifest.json")
    return _of_version(manifest, set()) if manifest.is_file() else None


def _of_version(path: Path, visited: set[Path]) -> Learnt:
    """The records of a version and of its parents, as far back as the repository has them."""
    try:
        manifest = read_json(path)
    except (ArtifactRejected, OSError):
        return None
    records = [*(manifest.get("data") or []), *_named((manifest.get("configuration") or {}).get("data") or {})]
    parent = str(manifest.get("parent") or "")
    if parent:
        before = path.parents[2] / parent / "manifest.json"
        known = _of_version(before, {*visited, path}) if before not in visited else None
        if known is None and not records:
            return None
        records += known or []
    return records or None


def _named(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Events that a configuration names."""
    return [{"name": name, "part": part} for part in PARTS for name in data.get(part) or ()]
