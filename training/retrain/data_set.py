"""The data set of one retraining: frozen files, their three parts in time, and training windows.

DATA/archive/       the frozen days, an archive (training/retrain/snapshot.py)
DATA/training/      examples, one file each (training/fit/examples.py)
DATA/validation/
DATA/manifest.json  files with checksums, blocks by part, left out blocks with reasons
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

from models.framing import Framing
from radar.archive.archive import Archive
from radar.sequence import FrameSequence, iso
from radar.system.durable import place_folder, write_text
from training.data.archive import ArchiveDataset
from training.data.archive_windows import Block, Cut, Window, draw_windows
from training.fit.examples import SequenceExamples, store_example
from training.retrain.config import PartsConfig
from training.retrain.parts import (
    TEST,
    TRAINING,
    VALIDATION,
    DataParts,
    cut_blocks,
    divide,
)
from training.retrain.snapshot import Snapshot, Wanted, freeze


@dataclass(frozen=True)
class Need:
    """A model's requirements of a data set.

    Parameters
    ----------
    framing : Framing
    leads : int
        The number of forecast frames in training.
    crop : int
        Edge of the training crops, in pixels.
    tested : int
        Frames of one forecast of the test part, both read and forecast.
    seed : int
    """

    framing: Framing
    leads: int
    crop: int
    tested: int
    seed: int

    @property
    def length(self) -> int:
        """Frames of a training window."""
        return self.framing.input_length + self.leads


@dataclass(frozen=True)
class DataSet:
    """A complete data set."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Digest of the content, independent of the time of making."""
        content = {key: value for key, value in self.manifest.items() if key != "made"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def test_blocks(self) -> list[Block]:
        """The blocks of the test part, in order of time."""
        return [_block_of(entry) for entry in self.manifest["parts"][TEST]["blocks"]]

    def read(self, block: Block) -> FrameSequence:
        """The frames of a block."""
        return Archive(self.folder / "archive").read(block.product, block.grid, block.first, block.last)

    def records(self) -> list[dict[str, Any]]:
        """Records of the training and validation data, one for each product and part, as JSON values."""
        stretches: dict[tuple[str, str, str], list[str]] = {}
        for part, name in ((TRAINING, "train"), (VALIDATION, "validation")):
            for block in self.manifest["parts"][part]["blocks"]:
                key = (name, block["product"], block["grid"])
                stretches.setdefault(key, []).extend((block["first"], block["last"]))
        return [
            {"name": f"{product} on {grid}", "part": part, "product": product, "first": min(ends), "last": max(ends)}
            for (part, product, grid), ends in stretches.items()
        ]

    def sources(self) -> list[tuple[str, str]]:
        """Product and grid of all frames in it."""
        return [(series["product"], series["grid"]) for series in self.manifest["series"]]


def make_data_set(archive: Archive, folder: Path, need: Need, config: PartsConfig) -> DataSet:
    """Make `folder`, which appears once it is complete; an interrupted attempt is begun again.

    Raises
    ------
    IncompleteHistory
        No frames fit the model, or too few for three parts.
    UnreadableFile
        A frame is damaged; the error names its file.
    """
    making = folder.with_name(f".{folder.name}")
    shutil.rmtree(making, ignore_errors=True)
    (making / "archive").mkdir(parents=True)
    wanted = Wanted(
        need.framing.timestep_minutes, need.framing.pixel_size_km, need.crop, config.products, config.newest_days
    )
    snapshot = freeze(archive, making / "archive", wanted)
    parts = _divide(snapshot, need, config)
    chosen = _draw(snapshot, parts, need, config)
    for part, windows in chosen.items():
        dataset = ArchiveDataset(snapshot.archive, windows, need.framing.input_length, need.leads)
        _store(making / part, SequenceExamples(dataset, need.framing, need.leads))
    manifest = _manifest(snapshot, parts, chosen)
    write_text(making / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    place_folder(making, folder)
    return DataSet(folder, manifest)


def open_data_set(folder: Path) -> DataSet | None:
    """The data set of an earlier attempt; None if it was never complete."""
    path = folder / "manifest.json"
    return DataSet(folder, json.loads(path.read_text())) if path.exists() else None


def _divide(snapshot: Snapshot, need: Need, config: PartsConfig) -> DataParts:
    blocks: list[Block] = []
    for series in snapshot.series:
        product, grid = series.product, series.grid.key
        times = snapshot.archive.times(product, grid)
        blocks += cut_blocks(product, grid, times, series.timestep_minutes, config.block_hours)
    return divide(blocks, max(need.length, need.tested), config)


def _draw(snapshot: Snapshot, parts: DataParts, need: Need, config: PartsConfig) -> dict[str, list[Window]]:
    counts = {TRAINING: config.windows, VALIDATION: config.validation_windows}
    cut = Cut(need.framing.input_length, need.leads, config.stride, config.tile)
    return {
        part: draw_windows(snapshot.archive, parts.blocks[part], cut, count, (need.seed, number))
        for number, (part, count) in enumerate(counts.items())
    }


def _store(folder: Path, examples: SequenceExamples) -> None:
    for number, example in enumerate(tqdm(examples, f"{folder.name} windows")):
        store_example(folder, number, example)


def _manifest(snapshot: Snapshot, parts: DataParts, windows: dict[str, list[Window]]) -> dict[str, Any]:
    return {
        "version": 1,
        "made": iso(datetime.now(UTC)),
        "series": [
            {
                "product": series.product,
                "grid": series.grid.key,
                "shape": list(series.grid.shape),
                "timestep_minutes": series.timestep_minutes,
                "pixel_size_km": series.grid.pixel_size_km,
            }
            for series in snapshot.series
        ],
        "parts": {
            part: {
                "first": iso(blocks[0].first),
                "last": iso(max(block.last for block in blocks)),
                "frames": sum(block.frames for block in blocks),
                "blocks": [_entry(block) for block in blocks],
                "windows": [window.entry() for window in windows.get(part, [])],
            }
            for part, blocks in parts.blocks.items()
        },
        "left_out": [
            *({"what": what, "why": why} for what, why in snapshot.left_out),
            *({"what": _entry(block), "why": why} for block, why in parts.left_out),
        ],
        "files": [{"path": path, "sha256": digest} for path, digest in snapshot.files()],
    }


def _entry(block: Block) -> dict[str, Any]:
    return {
        "product": block.product,
        "grid": block.grid,
        "first": iso(block.first),
        "last": iso(block.last),
        "frames": block.frames,
    }


def _block_of(entry: dict[str, Any]) -> Block:
    first, last = (datetime.fromisoformat(entry[end]) for end in ("first", "last"))
    return Block(first, last, entry["product"], entry["grid"], entry["frames"])
