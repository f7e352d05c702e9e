"""Files as other programs write them, by netCDF4 and xarray; test_netcdf.py has those of this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr

from radar.errors import IncompleteHistory, UnreadableFile
from radar.files.netcdf.reader import netcdf_times, read_netcdf
from radar.files.netcdf.writer import to_netcdf
from radar.files.open import open_sequence
from radar.grid import KNOWN_GRIDS
from radar.sequence import FrameSequence, times_after

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
RAIN = np.zeros((3, 4, 5), np.float32)
RAIN[:, 1, 2] = 1, 2, 3
RAIN[:, 0, 0] = np.nan
SPHERE: Mapping[str, object] = {
    "grid_mapping_name": "polar_stereographic",
    "straight_vertical_longitude_from_pole": 10.0,
    "latitude_of_projection_origin": 90.0,
    "standard_parallel": 60.0,
    "earth_radius": 6370040.0,
}
Edit = Callable[[netCDF4.Dataset], None]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """A writer of small files: three frames of 4x5 pixels of 1 km, with what a test changes."""

    def write(
        *,
        name: str = "rainfall_rate",
        dims: tuple[str, ...] = ("time", "y", "x"),
        values: Any = RAIN,
        dtype: str = "f4",
        fill: float | None = None,
        attributes: Mapping[str, object] = {"units": "mm h-1"},
        y: Mapping[str, object] = {"units": "m"},
        x: Mapping[str, object] = {"units": "m"},
        scale: float = 1.0,
        mapping: Mapping[str, object] | None = None,
        edit: Edit | None = None,
    ) -> Path:
        path = tmp_path / "foreign.nc"
        with netCDF4.Dataset(path, "w") as file:
            file.set_auto_maskandscale(False)
            sizes = {"time": 3, "y": 4, "x": 5, "band": 1, "member": 2, "lat": 4, "lon": 5}
            for dim in dict.fromkeys((*dims, "time", "y", "x")):
                file.createDimension(dim, sizes[dim])
            time = file.createVariable("time", "i4", ("time",))
            time.units, time[:] = "minutes since 2024-06-01 12:00", [5, 10, 15]
            for axis, said, centres in (("y", y, np.arange(4, 0, -1)), ("x", x, np.arange(5))):
                variable = file.createVariable(axis, "f8", (axis,))
                variable.setncatts(said)
                variable[:] = 1000.0 * centres * scale
            rain = file.createVariable(name, dtype, dims, fill_value=fill)
            rain.set_auto_maskandscale(False)
            rain.setncatts(attributes)
            rain[:] = values
            if mapping is not None:
                file.createVariable("crs", "i4").setncatts(mapping)
                rain.grid_mapping = "crs"
            if edit:
                edit(file)
        return path

    return write


def refusal(path: Path, **question: Any) -> str:
    with pytest.raises(UnreadableFile) as caught:
        read_netcdf(path, **question)
    assert str(path.parent) not in str(caught.value)
    return str(caught.value)


def check(read: FrameSequence) -> None:
    np.testing.assert_array_equal(read.rain_rate, RAIN)
    assert read.valid_times == times_after(NOON, 3, 5)
    assert read.grid.shape == (4, 5)
    assert read.grid.pixel_size_km == 1.0
    assert read.grid.north_west == (0.0, 4000.0)


def test_the_plain_file_is_read(written: Callable[..., Path]) -> None:
    check(read_netcdf(written()))


@pytest.mark.parametrize("dims", [("x", "y", "time"), ("time", "band", "y", "x"), ("y", "x", "time", "band")])
def test_dimensions_come_in_any_order(dims: tuple[str, ...], written: Callable[..., Path]) -> None:
    values = np.transpose(RAIN, [("time", "y", "x").index(dim) for dim in dims if dim != "band"])
    for place in (k for k, dim in enumerate(dims) if dim == "band"):
        values = np.expand_dims(values, place)
    check(read_netcdf(written(dims=dims, values=values)))


def test_a_second_member_is_no_rain_of_one_frame(written: Callable[..., Path]) -> None:
    path = written(dims=("time", "member", "y", "x"), values=0.0)
    assert "expected rainfall_rate(time, y, x)" in refusal(path)
    assert "member: 2" in refusal(path)


def test_columns_from_east_to_west_are_turned(written: Callable[..., Path]) -> None:
    def mirror(file: netCDF4.Dataset) -> None:
        file["x"][:] = file["x"][::-1]
        file["rainfall_rate"][:] = RAIN[..., ::-1]

    check(read_netcdf(written(edit=mirror)))


@pytest.mark.parametrize(("units", "scale"), [("km", 1e-3), ("metre", 1), ("kilometers", 1e-3), ("1000 m", 1e-3)])
def test_axes_become_metres(units: str, scale: float, written: Callable[..., Path]) -> None:
    check(read_netcdf(written(y={"units": units}, x={"units": units}, scale=scale)))


@pytest.mark.parametrize(
    ("said", "scale", "expected"),
    [
        ({"units": "degrees"}, 1e-5, "latitude/longitude grid (y, x in degrees)"),
        ({"units": "radian"}, 1e-6, "x in 'radian'"),
        ({}, 1e-3, "expected units of x and y"),
    ],
)
def test_axes_that_are_no_lengths_are_refused(
    said: Mapping[str, object], scale: float, expected: str, written: Callable[..., Path]
) -> None:
    assert expected in refusal(written(y=said, x=said, scale=scale))


def test_a_grid_of_latitudes_and_longitudes_is_said_to_be_one(written: Callable[..., Path]) -> None:
    def axes(file: netCDF4.Dataset) -> None:
        for name, north in (("lat", True), ("lon", False)):
            axis = file.createVariable(name, "f8", (name,))
            axis.units, axis[:] = "degrees_north" if north else "degrees_east", 50 + np.arange(4 if north else 5) / 100

    text = refusal(written(dims=("time", "lat", "lon"), edit=axes))
    assert "got a regular latitude/longitude grid (lat, lon in degrees)" in text
    assert "reproject it" in text


def test_geographic_and_unknown_projections_are_refused(written: Callable[..., Path]) -> None:
    assert "got the grid mapping latitude_longitude" in refusal(
        written(mapping={"grid_mapping_name": "latitude_longitude"})
    )
    assert "expected a projection that pyproj knows in crs" in refusal(written(mapping={"grid_mapping_name": "dwd"}))


def test_an_earth_of_one_axis_is_a_sphere(written: Callable[..., Path]) -> None:
    """As radolan_to_netcdf says it; pyproj takes it for WGS84."""
    told = {**SPHERE, "semi_major_axis": SPHERE["earth_radius"]}
    del told["earth_radius"]
    one, other = (read_netcdf(written(mapping=mapping)).grid for mapping in (SPHERE, told))
    np.testing.assert_allclose(one.corners(), other.corners(), atol=1e-9)


@pytest.mark.parametrize(
    ("attributes", "factor"),
    [
        ({"units": "mm/5min"}, 12),
        ({"units": "kg m-2 s-1", "standard_name": "rainfall_flux"}, 3600),
        ({"units": "mm", "standard_name": "rainfall_amount"}, 12),
        ({"units": "kg", "standard_name": "rainfall_amount"}, 12),
        ({"units": "m", "standard_name": "lwe_thickness_of_precipitation_amount"}, 12000),
    ],
)
def test_units_become_mm_h(attributes: Mapping[str, object], factor: float, written: Callable[..., Path]) -> None:
    read = read_netcdf(written(name="RR", values=RAIN / factor, attributes=attributes))
    np.testing.assert_allclose(read.rain_rate, RAIN, rtol=1e-6)


@pytest.mark.parametrize("units", ["mm", "kg m-2", "dBZ", "1"])
def test_a_rate_in_another_unit_is_refused(units: str, written: Callable[..., Path]) -> None:
    assert f"expected rain in mm h-1 in foreign.nc, got units '{units}'" in refusal(
        written(attributes={"units": units})
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [(-999.0, "e.g. -999"), (-0.5, "e.g. -0.5"), (np.inf, "e.g. inf"), (1e30, "1e+30 mm/h"), (1000.5, "1000.5 mm/h")],
)
def test_what_never_fell_is_refused_with_what_to_do(value: float, said: str, written: Callable[..., Path]) -> None:
    values = RAIN.copy()
    values[2, 3, 3] = value
    text = refusal(written(values=values))
    assert said in text
    assert "_FillValue" in text
    marked = {"units": "mm h-1", "missing_value": np.float32(value)}  # the remedy is one
    assert np.isnan(read_netcdf(written(values=values, attributes=marked)).rain_rate[2, 3, 3])


def test_missing_values_and_limits_become_nan(written: Callable[..., Path]) -> None:
    packed = np.where(np.isnan(RAIN), -1, RAIN * 100).astype("i2")
    packed[0, 0, 0], packed[1, 0, 0] = -2, 30_000
    said = {"units": "mm h-1", "scale_factor": 0.01, "missing_value": np.int16(-2), "valid_max": np.int16(20_000)}
    check(read_netcdf(written(values=packed, dtype="i2", fill=-1, attributes=said)))


def test_a_missing_time_is_refused(written: Callable[..., Path]) -> None:
    def forget(file: netCDF4.Dataset) -> None:
        file["time"][1] = netCDF4.default_fillvals["i4"]

    path = written(edit=forget)
    assert "no time for frame 2 of 3" in refusal(path)
    with pytest.raises(UnreadableFile, match="no time for frame 2 of 3"):
        netcdf_times(path)


def other(name: str, units: str, standard_name: str = "") -> Edit:
    def add(file: netCDF4.Dataset) -> None:
        variable = file.createVariable(name, "f4", ("time", "y", "x"))
        variable.units, variable[:] = units, 9.0
        if standard_name:
            variable.standard_name = standard_name

    return add


@pytest.mark.parametrize(
    ("name", "attributes", "edit"),
    [
        ("RATE", {"units": "mm h-1", "standard_name": "rainfall_rate"}, other("quality", "1")),
        ("precip", {"units": "mm/h"}, other("wind", "m s-1", "wind_speed")),
        ("precip", {"units": "mm/h"}, other("height", "m")),
        ("precip", {"units": "mm/h"}, other("snow", "mm h-1", "snowfall_flux")),
        ("rainfall_rate", {"units": "mm h-1"}, other("rainfall_amount", "mm")),
    ],
)
def test_the_one_variable_of_rain_is_found_among_others(
    name: str, attributes: Mapping[str, object], edit: Edit, written: Callable[..., Path]
) -> None:
    check(read_netcdf(written(name=name, attributes=attributes, edit=edit)))


def test_of_several_one_is_named(written: Callable[..., Path]) -> None:
    path = written(name="raw", attributes={"units": "mm/h"}, edit=other("corrected", "mm/h"))
    text = refusal(path)
    assert "got raw, corrected" in text
    assert "--variable raw" in text
    check(read_netcdf(path, variable="raw"))
    assert open_sequence([path], variable="corrected").rain_rate.max() == 9
    assert "expected a variable rain" in refusal(path, variable="rain")


def test_amounts_of_another_interval_than_the_frames_are_refused(written: Callable[..., Path]) -> None:
    """An hourly sum every five minutes would count each drop twelve times."""

    def bounds(file: netCDF4.Dataset) -> None:
        file.createDimension("nv", 2)
        file["time"].bounds = "time_bnds"
        file.createVariable("time_bnds", "i4", ("time", "nv"))[:] = [[-55, 5], [-50, 10], [-45, 15]]

    path = written(name="rainfall_amount", attributes={"units": "mm"}, edit=bounds)
    assert "got amounts of 60 minutes, 5 minutes apart" in refusal(path)
    named = written(name="rainfall_amount", attributes={"units": "mm"}, edit=lambda f: f.setncattr("product", "RW"))
    assert "got RW of 60 minutes, 5 minutes apart" in refusal(named)


def test_a_gap_at_the_beginning_is_found_as_one(written: Callable[..., Path]) -> None:
    def late(file: netCDF4.Dataset) -> None:
        file["time"][:] = [0, 10, 15]

    with pytest.raises(IncompleteHistory, match="frames 5 minutes apart, got 10 minutes between"):
        read_netcdf(written(edit=late))


def test_a_damaged_chunk_is_no_file_that_does_not_open(written: Callable[..., Path]) -> None:
    path = written()
    content = bytearray(path.read_bytes())
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("rainfall_amount", "f4", ("time", "y", "x"), zlib=True, fletcher32=True)[:] = RAIN
        file["rainfall_amount"].units = "mm"
    content = bytearray(path.read_bytes())
    place = content.rindex(b"\x78\x5e")  # the head of a deflated chunk
    content[place + 4] ^= 0xFF
    path.write_bytes(content)
    assert "cannot be read to its end" in refusal(path, variable="rainfall_amount")


GERMANY = KNOWN_GRIDS["radolan"]


def wradlib_like(frames: int = 2, product: str = "RY") -> xr.Dataset:
    """What xr.open_dataset(engine="radolan") holds: RY(time, y, x), `unit`, x and y in metres, no projection."""
    rain = np.zeros((frames, *GERMANY.shape), np.float32)
    rain[:, 899, 3], rain[:, 0, 0] = 1.2, np.nan
    said = {"standard_name": "rainfall_rate", "unit": "mm h-1", "long_name": product, "valid_min": 0, "valid_max": 4095}
    axes = {
        name: (name, values, {"units": "m", "standard_name": f"projection_{name}_coordinate"})
        for name, values in (("y", GERMANY.y_metres[::-1]), ("x", GERMANY.x_metres))
    }
    times = np.array([NOON + timedelta(minutes=5 * k) for k in range(frames)]).astype("datetime64[ns]")
    dataset = xr.Dataset({product: (("time", "y", "x"), rain, said)}, {"time": times, **axes})
    dataset[product].encoding = {"scale_factor": np.float32(0.12), "dtype": "int32", "_FillValue": np.int32(2500)}
    return dataset


@pytest.mark.filterwarnings("ignore::UserWarning")  # datetimes without a zone
@pytest.mark.parametrize("single", [False, True])
def test_wradlibs_radolan_is_read_on_its_grid(single: bool, tmp_path: Path) -> None:
    dataset = wradlib_like()
    if single:  # one file: RY(y, x) with a time of its own
        dataset = dataset.isel(time=0)
    dataset.to_netcdf(tmp_path / "ry.nc")
    read = read_netcdf(tmp_path / "ry.nc")
    assert (read.grid, read.timestep_minutes, read.product) == (GERMANY, 5, "RY")
    assert len(read) == (1 if single else 2)
    assert read.valid_times[0] == NOON
    np.testing.assert_allclose(read.rain_rate[:, 0, 3], 1.2, rtol=1e-6)
    assert np.isnan(read.rain_rate).sum() == len(read)


def radolan_to_netcdf_like(path: Path, product: str = "RY", minutes: int = 5) -> Path:
    """What radolan_to_netcdf writes: kg, km of lower left corners, hours since 2000, a grid_mapping in capitals."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", None), ("y", 900), ("x", 900)):
            file.createDimension(name, size)
        for name, centres in (("x", GERMANY.x_metres), ("y", GERMANY.y_metres[::-1])):
            axis = file.createVariable(name, "f8", (name,))
            axis.units, axis[:] = "km", centres / 1000 - 0.5
        file.createVariable("radolan_grid", "f8").setncatts(
            {
                "grid_mapping_name": "polar_stereographic",
                "semi_major_axis": 6370040.0,
                "scale_factor_at_projection_origin": 0.9330127019,
                "straight_vertical_longitude_from_pole": 10.0,
                "latitude_of_projection_origin": 90.0,
                "false_easting": 0.0,
                "false_northing": 0.0,
            }
        )
        time = file.createVariable("time", "f8", ("time",))
        time.units, time.calendar = "hours since 2000-01-01 00:50:00.0", "standard"
        hours = (NOON - datetime(2000, 1, 1, 0, 50, tzinfo=UTC)).total_seconds() / 3600
        time[:] = hours + np.arange(2) * minutes / 60
        rain = file.createVariable("rainfall_amount", "i2", ("time", "y", "x"), fill_value=-9999)
        rain.setncatts({"standard_name": "rainfall_amount", "units": "kg", "scale_factor": 0.01, "add_offset": 0})
        rain.setncatts({"coordinates": "longitudes latitudes", "grid_mapping": "RADOLAN_grid"})
        amounts = np.zeros((2, 900, 900))
        amounts[:, 899, 3], amounts[:, 0, 0] = 0.1, -99.99
        rain[:] = amounts
        for mask in ("secondary", "nodatamask", "cluttermask"):
            variable = file.createVariable(mask, "i1", ("time", "y", "x"), fill_value=-99)
            variable.standard_name, variable.grid_mapping = "secondary", "RADOLAN_grid"
        file.createVariable("maxrange", "i2", ("time",)).units = "km"
        file.producttype = product
    return path


@pytest.mark.parametrize(("product", "minutes", "rate"), [("RY", 5, 1.2), ("RW", 60, 0.1)])
def test_radolan_to_netcdf_is_read_on_its_grid(product: str, minutes: int, rate: float, tmp_path: Path) -> None:
    read = read_netcdf(radolan_to_netcdf_like(tmp_path / "radolan.nc", product, minutes))
    assert (read.grid, read.timestep_minutes, read.product) == (GERMANY, minutes, product)
    assert read.valid_times[0] == NOON
    np.testing.assert_allclose(read.rain_rate[:, 0, 3], rate, rtol=1e-6)
    assert np.isnan(read.rain_rate[:, 899, 0]).all()


@pytest.mark.parametrize("name", ["knmi_nl_20100826", "dwd_ry_20200101"])
def test_real_events_through_xarray_stay_what_they_are(name: str, real_data: Path, tmp_path: Path) -> None:
    """Decoded, cut, and written anew with other units of time and another order, as people do."""
    original = real_data / "events" / f"{name}.nc"
    with xr.open_dataset(original) as dataset:
        cut = dataset.isel(time=slice(2, 4)).transpose("x", "time", "y").load()
    cut.time.encoding = {"units": "hours since 1900-01-01", "dtype": "float64"}
    cut["rainfall_rate"].encoding = {"_FillValue": np.float32(-1)}
    cut.to_netcdf(tmp_path / "cut.nc")
    ours, theirs = read_netcdf(tmp_path / "cut.nc"), read_netcdf(original)
    np.testing.assert_array_equal(ours.rain_rate, theirs.rain_rate[2:4])
    assert ours.valid_times == theirs.valid_times[2:4]
    assert ours.grid == theirs.grid


def test_a_forecast_through_xarray_stays_one(tmp_path: Path) -> None:
    made = FrameSequence(np.zeros((2, 900, 900), np.float32), times_after(NOON, 2, 5), GERMANY, 5, "RY", NOON)
    (tmp_path / "f.nc").write_bytes(to_netcdf(made))
    with xr.open_dataset(tmp_path / "f.nc", decode_timedelta=False) as dataset:
        dataset.to_netcdf(tmp_path / "again.nc")
    read = read_netcdf(tmp_path / "again.nc")
    assert (read.reference_time, read.valid_times, read.grid) == (NOON, made.valid_times, GERMANY)
