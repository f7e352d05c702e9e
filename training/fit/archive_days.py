"""The days of an archive that a run learns from. An archive grows, but a resumed run keeps its original days."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from radar.archive.archive import Archive
from radar.grid import same_pixel_size
from radar.system.durable import write_text
from radar.system.regular_file import read_json
from training.config.config import FitConfig
from training.data.archive import archive_records, archive_series, day_split, open_archive
from training.data.archive_days import Days
from training.data.options import check_options

_FILE = "data.json"
_COMPARED = ("part", "product", "first", "last", "frames")


@dataclass(frozen=True)
class ArchiveDays:
    """Days by part, and their records in a manifest."""

    days: Days
    records: tuple[dict[str, Any], ...]


def archive_days(config: FitConfig, data: Path, before: ArchiveDays | None = None) -> ArchiveDays:
    """The days that a configuration selects in the archive at `data`, or those of the run `before`.

    Raises
    ------
    ValueError
        The frames do not fit the framing, an option is wrong, or the days of `before` have other frames now.
    FileNotFoundError, RaincellError
        As in `training.data.archive.open_archive`.
    """
    options = config.data.options
    check_options(config.data.dataset, open_archive, options)
    product, grid = options.get("product"), options.get("grid")
    _check_fits(config, archive_series(Archive(data), product, grid))
    own = {key: value for key, value in options.items() if key in signature(day_split).parameters}
    days = before.days if before else day_split(data, **own)
    now = ArchiveDays(days, archive_records(data, product, grid, days))
    if before is not None:
        _check_same(before, now)
    return now


def options_of(config: FitConfig, days: ArchiveDays) -> dict[str, Any]:
    """All options of the data set: by default frames from the configuration, and its days."""
    frames = {"input_length": config.framing.input_length, "leads": config.leads}
    named = {f"{part}_days": stretches for part, stretches in days.days.items()}
    return frames | config.data.options | named


def _check_fits(config: FitConfig, series: Any) -> None:  # noqa: ANN401
    framing, crop = config.framing, config.optimiser.crop
    same_size = same_pixel_size(series.grid.pixel_size_km, framing.pixel_size_km)
    what = f"{series.product} on {series.grid.key}"
    if series.timestep_minutes != framing.timestep_minutes or not same_size:
        raise ValueError(
            f"expected frames {framing.timestep_minutes} min apart with pixels of {framing.pixel_size_km:g} km, got "
            f"{what} of {series.timestep_minutes} min and {series.grid.pixel_size_km:g} km; correct [framing], or name "
            "another series in [data.options]"
        )
    rows, columns = (min(edge, config.data.options.get("tile", crop), crop) for edge in series.grid.shape)
    if config.data.symmetries and rows != columns:
        raise ValueError(
            f"expected square crops, which can be turned, got {rows} x {columns} pixels of {what}; lower "
            "optimiser.crop, or set data.symmetries = false"
        )


def _check_same(before: ArchiveDays, now: ArchiveDays) -> None:
    for old, new in zip(before.records, now.records, strict=True):
        changed = [key for key in _COMPARED if old.get(key) != new.get(key)]
        if changed:
            raise ValueError(
                f"expected the frames of {old['name']} that the run began with, {old['frames']} from {old['first']} to "
                f"{old['last']}, got {new['frames']} from {new['first']} to {new['last']}; begin a new run"
            )


def read_archive_days(out: Path) -> ArchiveDays | None:
    """The days that the run in `out` began with; None if they are not recorded."""
    if not (out / _FILE).is_file():
        return None
    try:
        content = read_json(out / _FILE)
        return ArchiveDays(content["days"], tuple(content["records"]))
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"expected the days of a run in {out / _FILE}, got something else; restore it, or begin a new run"
        ) from None


def write_archive_days(out: Path, days: ArchiveDays) -> None:
    """Write OUT/data.json."""
    write_text(out / _FILE, json.dumps(asdict(days), indent=1) + "\n")
