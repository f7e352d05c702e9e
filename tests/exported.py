"""Each of the sixteen models, tiny, from configuration to repository; made once for all processes of a test run."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.framing import Framing
from models.repository import MODEL_FILE, read_manifest
from models.spec import NetworkSpec
from models.zoo import MODELS
from radar.files.netcdf.writer import to_netcdf
from radar.grid import KNOWN_GRIDS, Grid
from radar.rain import RainScaling
from radar.synthetic import Weather, storm_sequence
from radar.system.locks import locked
from tests.preloaded import TRAINING, Program
from training.config.config import DataConfig, FitConfig, OptimiserConfig
from training.export.export import export
from training.fit.loop import fit

QUICK = ("ms-convlstm", "ms-trajgru")
"""Pooling, upsampling and sampling along a flow, in two graphs that are made soonest."""
BY_COMMAND = "ms-convlstm"
"""This one is exported by `python -m training export`, in a process of its own."""
SIXTEEN = tuple(pytest.param(name, id=name, marks=() if name in QUICK else pytest.mark.slow) for name in MODELS)
"""Their names."""


@dataclass(frozen=True)
class Exported:
    """A model that was trained for a moment and exported."""

    name: str
    checkpoint: Path
    repository: Path

    @property
    def manifest(self) -> dict[str, Any]:
        return read_manifest(self.repository, self.name, "1")

    @property
    def errors(self) -> Path:
        """What the command wrote to stderr, if it was `BY_COMMAND`."""
        return self.repository.with_name("errors.txt")

    def file(self) -> Path:
        return self.repository / self.name / "1" / MODEL_FILE


def tiny_spec(name: str) -> NetworkSpec:
    """Three layers: one each at the first and last place, and one between, which has all of its cell's parts."""
    scales = (0, 1, 0) if name.startswith("ms-") else (0, 0, 0)
    return replace(MODELS[name], scales=scales, channels=4, patch=4, attention_window=5)


def tiny_config(name: str, network: NetworkSpec) -> FitConfig:
    # With dry_below 0 no pixel jumps: what differs by little in network units differs by little in mm/h.
    return FitConfig(
        name=name,
        leads=6,
        network=network,
        framing=Framing(input_length=3, scaling=RainScaling(dry_below=0.0)),
        data=DataConfig(train=("first.nc",), validation=("second.nc",)),
        optimiser=OptimiserConfig(iterations=2, batch=1, crop=32, validate_every=2, warm_up=1),
    )


def exported(name: str, folders: pytest.TempPathFactory) -> Exported:
    """Trained for two iterations and exported as version 1, in a repository of its own, which no test may change."""
    base = folders.getbasetemp()
    # The folder of the whole run: each process of pytest-xdist has its own within it.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "exported" / name
    folder.mkdir(parents=True, exist_ok=True)
    made = Exported(name, folder / "run" / "model.pt", folder / "models")
    with locked(folder / "lock"):
        if not made.file().exists():
            _write_events(folder)
            fit(tiny_config(name, tiny_spec(name)), folder, folder / "run")
            if name == BY_COMMAND:
                _export_by_command(made)
            else:
                export(made.checkpoint, made.repository, "1")
    return made


def _export_by_command(made: Exported) -> None:
    arguments = ["--repository", str(made.repository), "--version", "1", "--no-float16"]
    with (
        made.errors.open("wb") as errors,
        Program(["training", "export", str(made.checkpoint), *arguments], TRAINING, stderr=errors) as process,
    ):
        assert process.wait(timeout=280) == 0, made.errors.read_text()


def _write_events(folder: Path) -> None:
    radklim = KNOWN_GRIDS["radklim"]
    grid = Grid("small", (40, 48), 1.0, radklim.projection, radklim.north_west)
    for seed, name in enumerate(("first.nc", "second.nc")):
        end = datetime(2026, 5, 1, 12, tzinfo=UTC)
        storm = storm_sequence(grid, 10, seed=seed, end_time=end, weather=Weather(wet_fraction=0.5))
        (folder / name).write_bytes(to_netcdf(storm))
