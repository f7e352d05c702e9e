"""The content of the archive, for people and programs: ROOT/manifest.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radar.archive.day import StoredDay
from radar.archive.file import Series
from radar.archive.frame import ArchivedFrame
from radar.sequence import iso
from radar.system.digest import sha256_of
from radar.system.durable import write_text
from radar.times import gaps

if TYPE_CHECKING:
    from radar.archive.archive import Archive

_NAME = "manifest.json"
_TALLIES = ("wet_pixels", "missing_pixels", "saturated_pixels", "corrections")


def make_manifest(archive: Archive, before: dict[str, Any]) -> dict[str, Any]:
    """The manifest of an archive; entries of files unchanged since the manifest `before` are copied from it."""
    known = {file["path"]: file for series in before.get("series", []) for file in series["files"]}
    return {
        "version": 1,
        "written": iso(datetime.now(UTC)),
        "series": [_series(archive, *pair, known) for pair in archive.products()],
        "sources": before.get("sources", {}),
    }


def read_manifest(root: Path) -> dict[str, Any]:
    """The manifest that was written last; empty if it is missing or cannot be read."""
    try:
        content = json.loads((root / _NAME).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and content.get("version") == 1 else {}


def file_digests(root: Path) -> Callable[[Path], str]:
    """SHA-256 of files of an archive: from the last manifest for unchanged files, else computed from the file."""
    known = {file["path"]: file for series in read_manifest(root).get("series", []) for file in series["files"]}

    def digest(path: Path) -> str:
        entry, status = known.get(path.relative_to(root).as_posix(), {}), path.stat()
        if (entry.get("size"), entry.get("modified_ns")) == (status.st_size, status.st_mtime_ns):
            return str(entry["sha256"])
        return sha256_of(path)

    return digest


def save_manifest(root: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest by a rename: a reader sees the old one or the new one."""
    root.mkdir(parents=True, exist_ok=True)
    write_text(root / _NAME, json.dumps(manifest, indent=1) + "\n")


def _series(archive: Archive, product: str, grid: str, known: dict[str, Any]) -> dict[str, Any]:
    series, times = archive.series(product, grid), archive.times(product, grid)
    files = [_day(archive.root, day, series, known) for day in archive.days(product, grid)]
    return {
        "product": product,
        "grid": grid,
        "shape": list(series.grid.shape),
        "timestep_minutes": series.timestep_minutes,
        "first": iso(times[0]),
        "last": iso(times[-1]),
        "gaps": [[iso(first), iso(last)] for first, last in gaps(times, series.timestep)],
        **_summary({name: sum(file[name] for file in files) for name in ("frames", *_TALLIES)}, series),
        "files": files,
    }


def _day(root: Path, day: StoredDay, series: Series, known: dict[str, Any]) -> dict[str, Any]:
    """The entry of one day: its packed file with a digest, and its counts, which include the loose frames."""
    path, loose = day.packed, len(day.loose())
    entry: dict[str, Any] = {"path": path.relative_to(root).as_posix(), "loose_frames": loose}
    if path.exists():
        status = path.stat()
        entry |= {"size": status.st_size, "modified_ns": status.st_mtime_ns}
    before = known.get(entry["path"], {})
    if not loose and entry.items() <= before.items():
        return dict(before)
    frames: list[ArchivedFrame] = day.frames(pixels=False)
    tallies = {name: sum(getattr(frame, name) for frame in frames) for name in _TALLIES}
    digest = {"sha256": sha256_of(path)} if path.exists() else {}
    return {**entry, **digest, **_summary({"frames": len(frames), **tallies}, series)}


def _summary(tallies: dict[str, int], series: Series) -> dict[str, Any]:
    """Counts, and fractions computed from them; the wet fraction is null without known pixels."""
    pixels = tallies["frames"] * series.grid.shape[0] * series.grid.shape[1]
    known = pixels - tallies["missing_pixels"]
    wet = round(tallies["wet_pixels"] / known, 6) if known else None
    missing = round(tallies["missing_pixels"] / pixels, 6) if pixels else None
    return {**tallies, "wet_fraction": wet, "missing_fraction": missing}
