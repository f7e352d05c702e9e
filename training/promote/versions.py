"""The versions in a model repository, from its manifests and aliases only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.aliases import Aliases, read_aliases
from models.repository import read_manifest, versions_of

_THRESHOLD = 1.0


def version_rows(repository: Path, name: str) -> list[dict[str, Any]]:
    """A row of JSON values for each version: `aliases` lists its roles, `gate` holds the decision of retraining.

    `csi_1_mm_per_hour` is its mean over lead times and the events of its last recorded evaluation; None without one.
    """
    aliases = read_aliases(repository, name)
    return [_row(repository, name, version, aliases) for version in versions_of(repository, name)]


def _row(repository: Path, name: str, version: str, aliases: Aliases) -> dict[str, Any]:
    manifest = read_manifest(repository, name, version)
    lineage = manifest.get("lineage") or {}
    files = (repository / name / version).glob("*.onnx")
    return {
        "model": name,
        "version": version,
        "aliases": [role for role in ("champion", "previous", "challenger") if getattr(aliases, role) == version],
        "csi_1_mm_per_hour": _csi(manifest, name, version),
        "gate": (manifest.get("gate") or {}).get("decision"),
        "parent": manifest.get("parent"),
        "created": lineage.get("created") or None,
        "megabytes": round(sum(file.stat().st_size for file in files) / 1e6, 3),
    }


def _csi(manifest: Mapping[str, Any], name: str, version: str) -> float | None:
    mine = (name, f"{name} {version}", f"{name}/{version}")
    rows = [row for row in manifest.get("scores", []) if row["model"] in mine and row["threshold"] == _THRESHOLD]
    values = [row["csi"] for row in rows if row.get("csi") is not None]
    return sum(values) / len(values) if values else None
