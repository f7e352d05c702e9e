"""A small archive and a small champion, as a retraining needs them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from models.framing import Framing
from models.spec import NetworkSpec
from radar.archive.archive import Archive
from radar.files.netcdf.writer import to_netcdf
from radar.grid import KNOWN_GRIDS, Grid
from radar.sequence import FrameSequence
from radar.synthetic import Weather, storm_sequence
from training.config.config import DataConfig, FitConfig, OptimiserConfig
from training.export.export import export
from training.fit.loop import fit

NAME = "rain"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
GRID = Grid("small", (40, 48), 1.0, KNOWN_GRIDS["radklim"].projection, KNOWN_GRIDS["radklim"].north_west)
CONFIG = FitConfig(
    name=NAME,
    leads=2,
    network=NetworkSpec(cell="convlstm", scales=(0, 1, 0), channels=4, inputs=("rain", "coverage")),
    framing=Framing(input_length=3, coordinates="lagrangian", base="smoothed"),
    data=DataConfig(train=("first.nc",), validation=("second.nc",)),
    optimiser=OptimiserConfig(iterations=1, batch=2, crop=16, validate_every=1, warm_up=1),
)
TOML = """
start = "{start}"
test_starts = 24
accept = "{accept}"
[parts]
block_hours = 2
separation_hours = 0.5
windows = 12
validation_windows = 4
[optimiser]
iterations = {iterations}
batch = 2
crop = 16
validate_every = 2
save_every = 2
warm_up = 1
[gate]
score = "{score}"
latency_ratio = 100.0
fewest_blocks = 2.0
threshold = 0.5
heavy_threshold = 2.0
heavy_margin = 10.0
must_beat = ["persistence"]
"""


def storm(end: datetime, frames: int, seed: int = 1) -> FrameSequence:
    """Rain that moves on for some frames."""
    weather = Weather(wet_fraction=0.5)
    return replace(storm_sequence(GRID, frames, seed=seed, end_time=end, weather=weather), product="RY")


def make_archive(folder: Path, hours: int = 12) -> Archive:
    """Some hours of rain in pieces of two, each another, with half an hour between."""
    archive = Archive(folder)
    for piece in range(hours // 2):
        archive.append(storm(NOON + timedelta(hours=2 * piece), 19, seed=piece + 1))
    for day in {(NOON + timedelta(hours=2 * piece)).date() for piece in range(hours // 2 - 1)}:
        archive.pack(day)
    return archive


def make_champion(folder: Path, repository: Path) -> Path:
    """A network that has learnt next to nothing, exported as version 1: its fresh head makes noise."""
    for seed, name in enumerate(("first.nc", "second.nc")):
        (folder / name).write_bytes(to_netcdf(storm(NOON, 9, seed=seed)))
    return export(fit(CONFIG, folder, folder / "run"), repository, "1")


def write_config(
    path: Path, *, iterations: int = 4, accept: str = "challenger", start: str = "anew", score: str = "csi"
) -> Path:
    """Of a retraining that takes a moment: anew it is better than the champion, which has a head of noise."""
    path.write_text(TOML.format(iterations=iterations, accept=accept, start=start, score=score))
    return path
