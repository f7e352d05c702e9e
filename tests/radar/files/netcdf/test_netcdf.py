from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time

import netCDF4
import numpy as np
import pytest
import xarray as xr

from radar.errors import IncompleteHistory, UnreadableFile
from radar.files.netcdf.reader import read_netcdf
from radar.files.netcdf.writer import to_netcdf
from radar.files.open import open_sequence
from radar.grid import KNOWN_GRIDS, Grid
from radar.sequence import FrameSequence, times_after
from radar.synthetic import storm_sequence

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SMALL = Grid("20x30", (20, 30), 0.5, KNOWN_GRIDS["de1200"].projection, (1000.0, -4_000_000.0))


def forecast(grid: Grid = SMALL, frames: int = 3, reference: datetime | None = NOON) -> FrameSequence:
    rain = np.random.default_rng(1).random((frames, *grid.shape), np.float32) * 40
    rain[:, 0] = np.nan
    return FrameSequence(rain, times_after(NOON, frames, 5), grid, 5, "RY", reference)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "forecast.nc"
    path.write_bytes(to_netcdf(forecast(), attributes={"model": "ms-convlstm", "attribution": "Grüße", "empty": ""}))
    return path


def test_xarray_sees_rain_places_and_times(saved: Path) -> None:
    with xr.open_dataset(saved, engine="netcdf4") as dataset:
        rain = dataset.rainfall_rate
        assert rain.dims == ("time", "y", "x")
        assert rain.dtype == np.float32
        np.testing.assert_array_equal(rain.values, forecast().rain_rate)
        assert rain.attrs["units"] == "mm h-1"
        assert rain.attrs["standard_name"] == "rainfall_rate"
        assert {"lat", "lon", "time", "x", "y", "forecast_reference_time", "lead_time"} <= set(rain.coords)
        lat, lon = SMALL.lat_lon()
        np.testing.assert_allclose(rain.lat.values, lat, atol=5e-6)
        np.testing.assert_allclose(rain.lon.values, lon, atol=5e-6)
        assert rain.time.values[0] == np.datetime64("2026-06-01T12:05:00")
        assert rain.forecast_reference_time.values == np.datetime64("2026-06-01T12:00:00")
        assert dataset[rain.attrs["grid_mapping"]].attrs["grid_mapping_name"] == "polar_stereographic"
        assert "crs_wkt" in dataset.crs.attrs
        assert dataset.crs.attrs["latitude_of_projection_origin"] == 90
        assert (dataset.attrs["Conventions"], dataset.attrs["model"]) == ("CF-1.9", "ms-convlstm")
        assert dataset.attrs["attribution"] == "Grüße"


def test_lead_times_are_minutes(saved: Path) -> None:
    with netCDF4.Dataset(str(saved)) as dataset:
        np.testing.assert_array_equal(dataset["lead_time"][:], [5, 10, 15])
        assert dataset["lead_time"].units == "minutes"
        assert dataset["lead_time"].standard_name == "forecast_period"
        assert np.isnan(dataset["rainfall_rate"]._FillValue)


def test_observations_have_no_lead_time(tmp_path: Path) -> None:
    (tmp_path / "seen.nc").write_bytes(to_netcdf(forecast(reference=None)))
    with xr.open_dataset(tmp_path / "seen.nc", engine="netcdf4") as dataset:
        assert "lead_time" not in dataset.variables
        assert "forecast_reference_time" not in dataset.variables
    assert read_netcdf(tmp_path / "seen.nc").reference_time is None


@pytest.mark.parametrize("name", list(KNOWN_GRIDS))
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    written = forecast(KNOWN_GRIDS[name], frames=1)
    (tmp_path / "f.nc").write_bytes(to_netcdf(written))
    back = read_netcdf(tmp_path / "f.nc")
    np.testing.assert_array_equal(back.rain_rate, written.rain_rate)
    assert back.grid is KNOWN_GRIDS[name]
    assert (back.valid_times, back.timestep_minutes, back.product) == (written.valid_times, 5, "RY")
    assert back.reference_time == NOON


def test_a_grid_of_unknown_place_has_no_lat_lon(tmp_path: Path) -> None:
    grid = Grid("unreferenced", (20, 30), 0.5)
    (tmp_path / "f.nc").write_bytes(to_netcdf(forecast(grid)))
    with xr.open_dataset(tmp_path / "f.nc", engine="netcdf4") as dataset:
        assert {"lat", "lon", "crs"}.isdisjoint(dataset.variables)
        np.testing.assert_array_equal(dataset.x.values[:3], [0, 500, 1000])
    assert read_netcdf(tmp_path / "f.nc").grid == grid


def event(**changes: object) -> xr.Dataset:
    """A file as other makers write it: row 0 south, packed, with one value below valid_min."""
    packed = np.full((2, 3, 4), 50, np.int16)
    packed[0, 0, 0], packed[0, 0, 1], packed[0, 2, 3] = -1, -60, 125
    attributes = {"standard_name": "rainfall_rate", "units": "mm h-1", "scale_factor": 0.01, "_FillValue": np.int16(-1)}
    attributes |= {"valid_min": np.int16(0), **changes}
    seconds = ("time", [0, 360], {"units": "seconds since 2026-06-01 12:00:00"})
    place = {"y": [0.0, 500.0, 1000.0], "x": [0.0, 500.0, 1000.0, 1500.0]}
    return xr.Dataset({"precipitation": (("time", "y", "x"), packed, attributes)}, {"time": seconds, **place})


def write(dataset: xr.Dataset, path: Path) -> Path:
    dataset.to_netcdf(path, engine="netcdf4")
    return path


def test_other_makers_files_are_turned_north_up(tmp_path: Path) -> None:
    read = read_netcdf(write(event(), tmp_path / "event.nc"))
    expected = np.full((2, 3, 4), 0.5, np.float32)
    expected[0, 2, :2], expected[0, 0, 3] = np.nan, 1.25
    np.testing.assert_array_equal(read.rain_rate, expected)
    assert read.timestep_minutes == 6
    assert read.valid_times == (NOON, NOON + timedelta(minutes=6))
    assert read.grid == Grid("unreferenced", (3, 4), 0.5, None, (0.0, 1000.0))


def test_files_that_are_no_rain_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"rain in mm h-1 in dbz.nc, got units 'dBZ'"):
        read_netcdf(write(event(units="dBZ"), tmp_path / "dbz.nc"))
    with pytest.raises(UnreadableFile, match=r"one variable rainfall_rate\(time, y, x\) or .* in none.nc"):
        read_netcdf(write(event().drop_vars("precipitation"), tmp_path / "none.nc"))
    with pytest.raises(UnreadableFile, match=r"evenly spaced pixels, x growing in uneven.nc"):
        read_netcdf(write(event().assign_coords(x=[0.0, 500, 1000, 9000]), tmp_path / "uneven.nc"))
    with pytest.raises(UnreadableFile, match=r"square pixels in oblong.nc"):
        read_netcdf(write(event().assign_coords(y=[0.0, 1000, 2000]), tmp_path / "oblong.nc"))
    with pytest.raises(UnreadableFile, match=r"negative or infinite values") as caught:
        read_netcdf(write(event(valid_min=np.int16(-100)), tmp_path / "negative.nc"))
    assert str(tmp_path) not in str(caught.value)


def radklim(*, north_up: bool = False, minutes: int = 5, frames: int = 3, bounds: bool = False) -> xr.Dataset:
    """Like DWD's RADKLIM files: amounts named RR, row 0 south, lat and lon, no projection; a pixel tells the time."""
    amount = np.zeros((frames, 1100, 900), np.float32)
    amount[:, 1099 if north_up else 0, 3] = 0.05 * np.arange(1, frames + 1)
    amount[:, 500, 500] = 999
    lat, lon = (places if north_up else places[::-1] for places in KNOWN_GRIDS["radklim"].lat_lon())
    said = {"standard_name": "rainfall_amount", "units": "kg m-2", "_FillValue": np.float32(999)}
    seconds = np.arange(1, frames + 1) * 60 * minutes
    clock = {"units": "seconds since 2017-08-16 00:00:00"}
    variables: dict[str, object] = {"RR": (("time", "y", "x"), amount, said)}
    if bounds:
        clock["bounds"] = "time_bnds"
        variables["time_bnds"] = (("time", "nv"), np.stack([seconds - 60 * minutes, seconds], axis=1))
        seconds = seconds - 60 * minutes
    places = {"lat": (("y", "x"), lat), "lon": (("y", "x"), lon)}
    return xr.Dataset(variables, {"time": ("time", seconds, clock), **places})


@pytest.mark.parametrize("north_up", [False, True])
@pytest.mark.parametrize("bounds", [False, True])
def test_radklims_amounts_become_rates_on_its_grid(north_up: bool, bounds: bool, tmp_path: Path) -> None:
    read = read_netcdf(write(radklim(north_up=north_up, bounds=bounds), tmp_path / "YW_2017.002_20170816.nc"))
    assert (read.grid, read.timestep_minutes, read.product) == (KNOWN_GRIDS["radklim"], 5, "YW")
    np.testing.assert_allclose(read.rain_rate[:, 1099, 3], [0.6, 1.2, 1.8], rtol=1e-6)
    assert np.isnan(read.rain_rate).sum() == 3
    midnight = datetime(2017, 8, 16, tzinfo=UTC)
    assert read.valid_times == times_after(midnight, 3, 5)


@pytest.mark.parametrize("name", ["radolan", "radolan-wgs84"])
def test_grids_of_one_shape_are_told_apart_by_their_places(name: str, tmp_path: Path) -> None:
    lat, lon = KNOWN_GRIDS[name].lat_lon()
    rain = xr.Variable(("time", "y", "x"), np.zeros((2, 900, 900), np.float32), {"units": "mm"})
    times = np.array(["2017-08-16T00:05", "2017-08-16T00:10"], "datetime64[ns]")
    places = {"lat": (("y", "x"), lat), "lon": (("y", "x"), lon)}
    dataset = xr.Dataset({"rainfall_amount": rain}, {"time": times, **places})
    assert read_netcdf(write(dataset, tmp_path / "f.nc")).grid is KNOWN_GRIDS[name]
    moved = dataset.assign_coords(lat=dataset.lat + 1)
    with pytest.raises(UnreadableFile, match=r"two-dimensional lat and lon of a known grid in moved\.nc"):
        read_netcdf(write(moved, tmp_path / "moved.nc"))


def test_a_part_of_radklim_is_read_alone(tmp_path: Path) -> None:
    path = write(radklim(), tmp_path / "yw.nc")
    wanted = datetime(2017, 8, 16, 0, 10, tzinfo=UTC)
    read = open_sequence([path], start=wanted, end=wanted)
    assert (read.valid_times, read.timestep_minutes) == ((wanted,), 5)
    np.testing.assert_allclose(read.rain_rate[0, 1099, 3], 1.2, rtol=1e-6)
    with pytest.raises(IncompleteHistory, match="got none; it reaches from 2017-08-16T00:05:00Z"):
        read_netcdf(path, start=wanted + timedelta(days=1))


def test_radklims_hours_are_rates_per_hour(tmp_path: Path) -> None:
    read = read_netcdf(write(radklim(minutes=60, frames=2), tmp_path / "rw.nc"))
    assert (read.timestep_minutes, read.product) == (60, "RW")
    np.testing.assert_allclose(read.rain_rate[:, 1099, 3], [0.05, 0.1], rtol=1e-6)


def test_amounts_without_an_interval_or_in_other_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"amounts of two times or more, or time_step_s in one\.nc"):
        read_netcdf(write(radklim(frames=1), tmp_path / "one.nc"))
    wrong = radklim(frames=2)
    wrong.RR.attrs["units"] = "kg s-1"
    with pytest.raises(UnreadableFile, match=r"amounts of rain in mm or kg m-2 in wrong\.nc, got units 'kg s-1'"):
        read_netcdf(write(wrong, tmp_path / "wrong.nc"))


def test_kilometres_are_told_from_metres(tmp_path: Path) -> None:
    axes = {
        axis: (axis, values.values / 1000, {"units": "km"}) for axis, values in (("x", event().x), ("y", event().y))
    }
    assert read_netcdf(write(event().assign_coords(axes), tmp_path / "km.nc")).grid.pixel_size_km == 0.5


def test_damaged_files_are_refused_without_their_path(tmp_path: Path) -> None:
    (tmp_path / "half.nc").write_bytes(to_netcdf(forecast())[:3000])
    with pytest.raises(UnreadableFile, match=r"a CF NetCDF file in half.nc") as caught:
        read_netcdf(tmp_path / "half.nc")
    assert str(tmp_path) not in str(caught.value)


def test_times_with_a_gap_are_named(tmp_path: Path) -> None:
    gap = xr.concat([event(), event().assign_coords(time=event().time + 1000)], "time")
    with pytest.raises(IncompleteHistory, match="6 minutes apart"):
        read_netcdf(write(gap, tmp_path / "gap.nc"))


def test_a_nationwide_forecast_is_written_quickly() -> None:
    twelve = storm_sequence(KNOWN_GRIDS["radolan"], 12, seed=1, end_time=NOON, timestep_minutes=5)
    written = to_netcdf(twelve)  # latitudes and longitudes are worked out once
    assert len(written) < twelve.rain_rate.nbytes / 3
    fastest = min(_seconds(twelve) for _ in range(5))
    assert fastest < 1  # of processor time; 0.2 s on an idle core


def _seconds(sequence: FrameSequence) -> float:
    start = process_time()
    to_netcdf(sequence)
    return process_time() - start


@pytest.mark.parametrize(
    ("name", "frames", "minutes", "grid", "pixel_size_km", "highest"),
    [
        ("knmi_nl_20100826", 92, 5, (765, 700), 1.0, 29.4),
        ("mch_ch_20170131", 40, 5, (640, 710), 1.0, 29.02),
        ("fmi_fi_20170509", 40, 5, (1226, 760), 0.999674, 62.88),
        ("bom_melbourne_20180616", 61, 6, (512, 512), 0.5, 53.0),
        ("bom_brisbane_20201031", 144, 10, (512, 512), 0.5, 91.8),
        ("dwd_yw_20170816", 12, 5, (1100, 900), 1.0, 142.92),
        ("dwd_ry_20200101", 13, 5, (900, 900), 1.0, 56.64),
    ],
)
def test_real_events(
    real_data: Path, name: str, frames: int, minutes: int, grid: tuple[int, int], pixel_size_km: float, highest: float
) -> None:
    read = read_netcdf(real_data / "events" / f"{name}.nc")
    assert (len(read), read.timestep_minutes, read.grid.shape) == (frames, minutes, grid)
    assert read.grid.pixel_size_km == pytest.approx(pixel_size_km, abs=1e-6)
    assert np.nanmax(read.rain_rate) == np.float32(highest)
    with xr.open_dataset(real_data / "events" / f"{name}.nc") as dataset:
        last = dataset.rainfall_rate.isel(time=-1).sortby("y", ascending=False).values.astype(np.float32)
    np.testing.assert_array_equal(read.rain_rate[-1], np.where(last < 0, np.nan, last))


def test_real_places(real_data: Path) -> None:
    """De Bilt's radar lies in the Netherlands' grid where its coordinates say; DWD's grids are recognised."""
    assert read_netcdf(real_data / "events" / "dwd_yw_20170816.nc").grid is KNOWN_GRIDS["radklim"]
    assert read_netcdf(real_data / "events" / "dwd_ry_20200101.nc").grid is KNOWN_GRIDS["radolan"]
    knmi = read_netcdf(real_data / "events" / "knmi_nl_20100826.nc").grid
    # The corners that KNMI gives for this product (outer, in degrees).
    np.testing.assert_allclose(knmi.to_lat_lon(-0.5, -0.5), (55.974, 0.0), atol=1e-3)
    np.testing.assert_allclose(knmi.to_lat_lon(764.5, -0.5), (49.362, 0.0), atol=1e-3)
    np.testing.assert_allclose(knmi.to_lat_lon(764.5, 699.5), (48.895, 9.009), atol=1e-3)
    rewritten = replace(knmi, name="x", projection=str(knmi.projection))
    np.testing.assert_allclose(rewritten.corners(), knmi.corners())


@pytest.mark.parametrize("package", ["xarray", "netCDF4"])
def test_without_the_packages_that_read_netcdf_the_error_names_them(
    saved: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UnreadableFile, match=r"raincell\[netcdf\]") as caught:
        read_netcdf(saved)
    assert caught.value.got == f"an installation without {package}"
