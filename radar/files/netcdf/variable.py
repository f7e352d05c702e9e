"""The rain variable of a NetCDF file: its unit, and its dimensions of time, rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from radar.files.netcdf.times import NotRead, is_time_unit
from radar.files.netcdf.units import RainUnit, rain_unit

if TYPE_CHECKING:
    import xarray as xr

RATES = ("rainfall_rate", "precipitation_rate", "lwe_precipitation_rate", "precipitation_flux", "rainfall_flux")
AMOUNTS = (
    "rainfall_amount",
    "precipitation_amount",
    "thickness_of_rainfall_amount",
    "lwe_thickness_of_precipitation_amount",
)
PROJECTED = "a projected grid of square pixels, x and y in metres or km"
REPROJECT = "reproject it to a map in metres, e.g. with gdalwarp or rioxarray"
_ROWS = ("y", "yc", "northing", "northings", "projection_y_coordinate")
_COLUMNS = ("x", "xc", "easting", "eastings", "projection_x_coordinate")
_DEGREES = ("lat", "latitude", "lon", "longitude", "rlat", "rlon", "grid_latitude", "grid_longitude")


@dataclass(frozen=True, eq=False)
class RainVariable:
    """A variable of rain.

    Parameters
    ----------
    name : str
    values : xarray.DataArray
        (time, y, x), or (y, x) of one time; packed as in the file. Other dimensions of one element are removed.
    unit : RainUnit
    time : str
        Name of the variable that holds the times.
    rows, columns : str
        The dimensions; their variables are the axes, where there are any.
    """

    name: str
    values: xr.DataArray
    unit: RainUnit
    time: str
    rows: str
    columns: str


def find_rain(dataset: xr.Dataset, wanted: str | None = None) -> RainVariable:
    """The wanted variable, or the only variable of rain: by its standard_name or name, else by its unit.

    Raises
    ------
    NotRead
        No variable or several match, the unit is not one of rain, or the dimensions are not those of frames on a map.
    """
    name = _named(dataset, wanted) if wanted is not None else _found(dataset)
    values = dataset[name]
    unit = _unit(dataset, name)
    return _shaped(dataset, name, values, unit)


def _named(dataset: xr.Dataset, wanted: str) -> str:
    if wanted not in dataset.data_vars:
        raise NotRead(f"a variable {wanted}", _listed(dataset))
    return wanted


def _found(dataset: xr.Dataset) -> str:
    for kinds in (RATES, AMOUNTS):
        named = [str(n) for n, v in dataset.data_vars.items() if v.attrs.get("standard_name") in kinds and v.ndim > 1]
        found = named or [str(n) for n in dataset.data_vars if n in kinds]
        if found:
            return _only(found)
    # A variable with another standard_name is not rain.
    unnamed = [str(n) for n, v in dataset.data_vars.items() if v.ndim > 1 and "standard_name" not in v.attrs]
    units = {name: rain_unit(units_of(dataset[name])) for name in unnamed}
    for is_amount in (False, True):
        found = [name for name, unit in units.items() if unit and unit.is_telling and unit.is_amount == is_amount]
        if found:
            return _only(found)
    wanted = "one variable rainfall_rate(time, y, x) or rainfall_amount(time, y, x)"
    raise NotRead(wanted, _listed(dataset))


def _only(names: list[str]) -> str:
    if len(names) > 1:
        raise NotRead("one variable of rain", ", ".join(names), f"name one: --variable {names[0]}")
    return names[0]


def units_of(variable: xr.DataArray) -> str:
    """The attribute `units`, or `unit`, which wradlib writes for RADOLAN."""
    return str(variable.attrs.get("units", variable.attrs.get("unit", "")))


def _unit(dataset: xr.Dataset, name: str) -> RainUnit:
    """The unit of a variable; raises NotRead where it contradicts the variable's name."""
    variable = dataset[name]
    text = units_of(variable)
    unit = rain_unit(text)
    is_rate = variable.attrs.get("standard_name", name) in RATES
    if unit is None or (is_rate and unit.is_amount):
        # A rate in mm may be the rate of an hour, or the amount of a timestep.
        amount = not is_rate and variable.attrs.get("standard_name", name) in AMOUNTS
        wanted = "amounts of rain in mm or kg m-2" if amount else "rain in mm h-1"
        raise NotRead(wanted, f"units {text!r}" if text else "units 'missing'")
    return unit


def _shaped(dataset: xr.Dataset, name: str, values: xr.DataArray, unit: RainUnit) -> RainVariable:
    time = _time(dataset, values)
    places = [str(dim) for dim in values.dims if dim != time and (values.sizes[dim] > 1 or _is_place(dim))]
    _refuse_degrees(dataset, name, places)
    rows, columns = _rows_and_columns(dataset, places)
    extra = [dim for dim in places if dim not in (rows, columns)]
    if rows is None or columns is None or any(values.sizes[dim] > 1 for dim in extra):
        sizes = ", ".join(f"{dim}: {size}" for dim, size in values.sizes.items())
        raise NotRead(f"{name}(time, y, x)", f"dimensions ({sizes})")
    single = {str(dim): 0 for dim in values.dims if dim not in (time, rows, columns)}
    ordered = [dim for dim in (time, rows, columns) if dim in values.dims]
    return RainVariable(name, values.isel(single).transpose(*ordered), unit, time, rows, columns)


def _time(dataset: xr.Dataset, values: xr.DataArray) -> str:
    """The variable of the times: the coordinate of a dimension, else the one that holds a single time."""
    timed = [str(n) for n, v in dataset.variables.items() if is_time_unit(v.attrs.get("units")) and v.ndim < 2]
    along = [name for name in timed if name in values.dims]
    if not along:
        # Converters from GRIB name the dimension "step" or "record", and its times "valid_time" or "time".
        by_dimension = [name for name in timed if dataset[name].ndim and dataset[name].dims[0] in values.dims]
        single = [name for name in timed if dataset[name].size == 1 and not by_dimension]
        along = [n for n in by_dimension or single if n in ("time", "valid_time")] or by_dimension
    if along:
        return along[0]
    if "time" in dataset.variables:
        got = f"units {dataset['time'].attrs.get('units', 'missing')!r} of time"
        raise NotRead("times in days, hours, minutes, seconds or milliseconds since a date", got)
    raise NotRead(
        f"{values.name}(time, y, x) with a variable of times", f"dimensions {', '.join(map(str, values.dims))}"
    )


def _is_place(dim: object) -> bool:
    return str(dim).lower() in (*_ROWS, *_COLUMNS)


def _rows_and_columns(dataset: xr.Dataset, places: list[str]) -> tuple[str | None, str | None]:
    """The dimensions of y and x, found by axis, standard_name or name; else those of two-dimensional latitudes."""
    rows, columns = (
        next((dim for dim in places if _is_axis(dataset, dim, letter, names)), None)
        for letter, names in (("Y", _ROWS), ("X", _COLUMNS))
    )
    if rows is not None and columns is not None:
        return rows, columns
    for variable in dataset.variables.values():
        is_latitude = variable.attrs.get("standard_name") == "latitude" or "north" in str(variable.attrs.get("units"))
        if variable.ndim == 2 and is_latitude and set(map(str, variable.dims)) <= set(places):
            return str(variable.dims[0]), str(variable.dims[1])
    return None, None


def _is_axis(dataset: xr.Dataset, dim: str, letter: str, names: tuple[str, ...]) -> bool:
    attributes = dataset[dim].attrs if dim in dataset.variables else {}
    return attributes.get("axis") == letter or attributes.get("standard_name") in names or dim.lower() in names


def _refuse_degrees(dataset: xr.Dataset, name: str, places: list[str]) -> None:
    """Raise NotRead for a grid of latitudes and longitudes, under any name: its pixels are not square."""
    degrees = [dim for dim in places if dim in dataset.variables and _is_in_degrees(dataset[dim])]
    if degrees:
        kind = "rotated" if any("rlat" in d or "grid_lat" in d for d in degrees) else "regular"
        got = f"a {kind} latitude/longitude grid ({', '.join(degrees)} in degrees)"
        raise NotRead(f"{name} on {PROJECTED}", got, REPROJECT)


def _is_in_degrees(axis: xr.DataArray) -> bool:
    units, named = str(axis.attrs.get("units", "")).lower(), str(axis.attrs.get("standard_name", axis.name)).lower()
    return units.startswith(("deg", "°")) or (not units and named in _DEGREES)


def _listed(dataset: xr.Dataset) -> str:
    return ", ".join(map(str, dataset.data_vars)) or "none"
