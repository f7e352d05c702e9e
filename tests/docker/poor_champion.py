"""For compose_run.py, inside the training image: a model `rain` whose champion has learnt nothing, to be beaten soon.

The bundled models are too good to be beaten within a minute.
"""

# ruff: noqa: T201

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from models.framing import Framing
from models.spec import NetworkSpec
from radar.files.netcdf.writer import to_netcdf
from radar.grid import KNOWN_GRIDS, Grid
from radar.synthetic import storm_sequence
from training.config.config import DataConfig, FitConfig, OptimiserConfig
from training.export.export import export
from training.fit.loop import fit

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
GRID = Grid("small", (40, 48), 1.0, KNOWN_GRIDS["radklim"].projection, KNOWN_GRIDS["radklim"].north_west)
CONFIG = FitConfig(
    name="rain",
    leads=2,
    network=NetworkSpec(cell="convlstm", scales=(0, 1, 0), channels=4, inputs=("rain", "coverage")),
    framing=Framing(input_length=3, coordinates="lagrangian", base="smoothed"),
    data=DataConfig(train=("first.nc",), validation=("second.nc",)),
    optimiser=OptimiserConfig(iterations=1, batch=2, crop=16, validate_every=1, warm_up=1),
)


def main(repository: Path) -> None:
    """Train for one step, and export."""
    with tempfile.TemporaryDirectory() as folder:
        for seed, name in enumerate(("first.nc", "second.nc")):
            storm = storm_sequence(GRID, 9, seed=seed, end_time=NOON, product="RY")
            Path(folder, name).write_bytes(to_netcdf(storm))
        print(export(fit(CONFIG, Path(folder), Path(folder, "run")), repository, "1"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
