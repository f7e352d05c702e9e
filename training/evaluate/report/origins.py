"""The owners of a report's data, by the names of its events."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import xarray as xr

Origin = dict[str, str]
"""`institution` and `licence`, each only if the file has it."""
_ATTRIBUTES = {"institution": ("institution",), "licence": ("licence", "license")}


def origins(events: Iterable[Path]) -> dict[str, Origin]:
    """By event, the global attributes `institution` and `licence` (or `license`); only CF NetCDF files have them."""
    return {path.stem: _origin(path) for path in events if path.suffix == ".nc"}


def _origin(path: Path) -> Origin:
    with xr.open_dataset(path, decode_times=False) as dataset:
        found = dataset.attrs
    attributes = {name: next((found[key] for key in keys if key in found), None) for name, keys in _ATTRIBUTES.items()}
    return {name: str(value) for name, value in attributes.items() if value}
