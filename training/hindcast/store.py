"""The Zarr store of a hindcast: the forecast and the sums of each start, one chunk each.

    OUT/rainfall_rate/<index>.0.0.0    forecast of a start, written first
    OUT/sums/<index>.0.0.0             its sums: once they exist, the start is complete

Chunks are moved into place by a rename. After a kill a start is complete or is made again; a repeated start writes the
same bytes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from radar.counts import MISSING, STORED, Counts
from radar.errors import InvalidRequest, UnreadableFile
from radar.files.netcdf.writer import mapping_attributes
from radar.scores.pixels import Float64
from radar.system.durable import sync
from training.hindcast.plan import HindcastPlan
from training.hindcast.scores import sum_names

if TYPE_CHECKING:
    import xarray

_FORECASTS, _SUMS = "rainfall_rate", "sums"
_DESCRIPTION = "raincell_hindcast"
_FORMAT: Literal[2] = 2
"""The format version of Zarr: every library reads it."""
_STARTS_AT_ONCE = 1024


class HindcastStore:
    """A store that `open_store` has made; any number of processes may write starts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, index: int, counts: Counts, sums: Float64) -> None:
        """Write the start of that number: counts (leads, H, W) and sums (forecasters, leads, sums); raises OSError."""
        self._put(_FORECASTS, index, counts)
        self._put(_SUMS, index, sums)

    def whole(self) -> set[int]:
        """The numbers of the complete starts."""
        names = (re.fullmatch(r"(\d+)\.0\.0\.0", path.name) for path in (self.path / _SUMS).iterdir())
        return {int(match[1]) for match in names if match}

    def total(self, starts: set[int]) -> Float64:
        """The sums (forecasters, leads, sums) of starts, added in order of the starts.

        Raises
        ------
        UnreadableFile
            A chunk is damaged.
        """
        array, numbers = _array(self.path, _SUMS), sorted(starts)
        total = np.zeros(array.shape[1:])
        for first in range(0, len(numbers), _STARTS_AT_ONCE):
            for sums in _rows(array, numbers[first : first + _STARTS_AT_ONCE]):
                total += sums
        return total

    def forget_unfinished(self) -> None:
        """Remove leftovers of killed writers; call it while no process writes."""
        for name in (_FORECASTS, _SUMS):
            for path in (self.path / name).glob("*.partial"):
                path.unlink(missing_ok=True)

    def _put(self, name: str, index: int, values: Counts | Float64) -> None:
        _array(self.path, name)[index] = values
        chunk = self.path / name / f"{index}.0.0.0"
        sync(chunk)
        sync(chunk.parent)


def open_store(path: Path, plan: HindcastPlan) -> HindcastStore:
    """The store of a plan, created if missing.

    Raises
    ------
    InvalidRequest
        The path holds something else, or the store of another plan.
    """
    if not path.parent.is_dir():
        raise _refused(f"a folder for {path.name}", "none", "make it first")
    if not path.exists():
        _make(path, plan)
    _check(_description(path), plan.description(), path.name)
    _check_sums(path, plan)
    return HindcastStore(path)


def _make(path: Path, plan: HindcastPlan) -> None:
    """Create an empty store by a rename, so that a kill leaves none or a whole one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    encoding: dict[str, dict[str, Any]] = {
        "start": {"units": "seconds since 1970-01-01 00:00:00", "calendar": "standard", "dtype": "int64"},
        _FORECASTS: _packed(plan),
        _SUMS: {"chunks": (1, len(plan.forecasters), plan.steps, len(sum_names(plan.thresholds)))},
    }
    try:
        _template(plan).to_zarr(temporary, mode="w", compute=False, zarr_format=_FORMAT, encoding=encoding)
        temporary.rename(path)
        sync(path.parent)
    except OSError:
        if not path.exists():  # else another run was faster, and its store is checked like any other
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _packed(plan: HindcastPlan) -> dict[str, Any]:
    from numcodecs import Blosc

    return {
        "dtype": "uint16",
        "scale_factor": STORED.step,
        "_FillValue": MISSING,
        "chunks": (1, plan.steps, *plan.series.grid.shape),
        "compressors": [Blosc("zstd", 3, Blosc.SHUFFLE)],
    }


def _template(plan: HindcastPlan) -> xarray.Dataset:
    """The store without its forecasts and sums."""
    import xarray
    from dask.array import empty

    names, grid = sum_names(plan.thresholds), plan.series.grid
    shape = (len(plan.starts), plan.steps, *grid.shape)
    rain = {"standard_name": "rainfall_rate", "long_name": "forecast rainfall rate", "units": "mm h-1"}
    if grid.projection is not None:
        rain["grid_mapping"] = "crs"
    sums = {"long_name": "additive sums of verification over the pixels that all forecasters and the observation know"}
    sums_shape = (len(plan.starts), len(plan.forecasters), plan.steps, len(names))
    return xarray.Dataset(
        {
            _FORECASTS: (("start", "lead", "y", "x"), empty(shape, chunks=-1, dtype=np.float32), rain),
            _SUMS: (("start", "forecaster", "lead", "sum"), empty(sums_shape, chunks=-1, dtype=np.float64), sums),
        },
        coords=_coordinates(plan) | {"sum": ("sum", names)},
        attrs={
            "Conventions": "CF-1.9",
            "product": plan.series.product,
            "model": plan.model,
            "time_step_s": 60 * plan.series.timestep_minutes,
            "row_order": "row 0 is north (y descends)",
            _DESCRIPTION: json.dumps(plan.description()),
        },
    )


def _coordinates(plan: HindcastPlan) -> dict[str, Any]:
    grid = plan.series.grid
    named = grid.projection is not None
    axis = {
        name: {"units": "m", "long_name": "pixel centre", "axis": name.upper()}
        | ({"standard_name": f"projection_{name}_coordinate"} if named else {})
        for name in ("y", "x")
    }
    seconds = np.array([int(start.timestamp()) for start in plan.starts], "datetime64[s]")
    coordinates: dict[str, Any] = {
        "start": ("start", seconds, {"standard_name": "forecast_reference_time"}),
        "lead": ("lead", np.array(plan.lead_minutes, np.int32), {"standard_name": "forecast_period", "units": "min"}),
        "y": ("y", grid.y_metres, axis["y"]),
        "x": ("x", grid.x_metres, axis["x"]),
        "forecaster": ("forecaster", list(plan.forecasters)),
    }
    return coordinates | (_place(plan) if grid.projection is not None else {})


def _place(plan: HindcastPlan) -> dict[str, Any]:
    """Projection, latitudes and longitudes."""
    grid = plan.series.grid
    lat, lon = grid.lat_lon()
    north, east = {"standard_name": "latitude"}, {"standard_name": "longitude"}
    return {
        "crs": ((), np.int32(0), dict(mapping_attributes(grid.projection or ""))),
        "lat": (("y", "x"), lat.astype(np.float32), north | {"units": "degrees_north"}),
        "lon": (("y", "x"), lon.astype(np.float32), east | {"units": "degrees_east"}),
    }


def _array(path: Path, name: str) -> Any:  # noqa: ANN401
    import zarr

    # A chunk is written even if all of it is missing: complete starts are recognised by their files.
    return zarr.open_array(path / name, mode="r+", zarr_format=_FORMAT).with_config({"write_empty_chunks": True})


def _rows(array: Any, numbers: Sequence[int]) -> list[Float64]:  # noqa: ANN401
    """The rows of starts in order; they are read at once, which is faster, unless a damaged one has to be named."""
    first = numbers[0]
    try:
        block = np.asarray(array[first : numbers[-1] + 1], np.float64)
        return [block[number - first] for number in numbers]
    except Exception:  # codecs raise many types of errors on damaged bytes
        return [_read(array, number) for number in numbers]


def _read(array: Any, number: int) -> Float64:  # noqa: ANN401
    try:
        return np.asarray(array[number], np.float64)
    except Exception as error:
        raise UnreadableFile(
            expected=f"the sums of start {number} in the store",
            got=f"a damaged chunk ({type(error).__name__})",
            remedy=f"remove {_SUMS}/{number}.0.0.0 from the store and run the command again",
        ) from None


def _description(path: Path) -> Mapping[str, Any]:
    try:
        description = json.loads(json.loads((path / ".zattrs").read_text())[_DESCRIPTION])
    except (OSError, ValueError, KeyError, TypeError):
        description = None
    if isinstance(description, dict):
        return description
    raise _refused("the store of a hindcast, or nothing yet", f"something else at {path.name}", "name another --out")


def _check(there: Mapping[str, Any], wanted: Mapping[str, Any], name: str) -> None:
    """Raise InvalidRequest unless a store can be resumed: it belongs to one model and to the archive's starts."""
    differing = [key for key in wanted if there.get(key) != wanted[key]]
    if differing:
        raise _refused(
            f"{name} of this hindcast: " + ", ".join(f"{key} {wanted[key]}" for key in differing),
            ", ".join(f"{key} {there.get(key)}" for key in differing),
            "name another --out, or use the store's options",
        )


def _check_sums(path: Path, plan: HindcastPlan) -> None:
    """Raise InvalidRequest unless a store fits the forecasters and scores of this version."""
    wanted = (len(plan.starts), len(plan.forecasters), plan.steps, len(sum_names(plan.thresholds)))
    there = _array(path, _SUMS).shape
    if there != wanted:
        raise _refused(
            f"{path.name} with {wanted[1]} forecasters and {wanted[3]} sums of each",
            f"one with {there[1]} and {there[3]}, from a version with other baselines or scores",
            "name another --out",
        )


def _refused(expected: str, got: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(expected=expected, got=got, remedy=remedy)
