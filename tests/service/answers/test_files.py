"""Answers as files that other programs take as they are: a CF checker, rioxarray, and a map that places a picture."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401  (adds .rio)
import xarray as xr
from compliance_checker.runner import CheckSuite

from tests.service.conftest import SMALL, Client, Site, rain
from tests.service.routes.test_predict import post_npy

NETCDF = "application/netcdf"


@pytest.fixture(scope="module")
def suite() -> CheckSuite:
    CheckSuite.load_all_available_checkers()
    return CheckSuite()


def findings(suite: CheckSuite, path: Path) -> list[str]:
    """What the checker of CF 1.9 says of a file, of whatever weight."""
    groups, errors = suite.run_all(suite.load_dataset(str(path)), ["cf:1.9"])["cf:1.9"]
    assert not errors
    assert groups
    failed = [group for group in groups if np.subtract(*group.value) != 0]  # of so many points, so many
    return [message for group in failed for message in group.msgs]


def saved(response: httpx.Response, folder: Path) -> Path:
    assert response.status_code == 200
    path = folder / "answer.nc"
    path.write_bytes(response.content)
    return path


def run_url(site: Site) -> str:
    return str(site.get("/nowcast").json()["url"])


@pytest.mark.parametrize("part", ["", "/frames/15", "/frames/-5", "/probability/15?threshold=5", "?bbox=-40,-80,60,80"])
def test_the_cf_checker_finds_nothing_in_a_run(part: str, site: Site, suite: CheckSuite, tmp_path: Path) -> None:
    path = saved(site.get(run_url(site) + part, NETCDF), tmp_path)
    assert findings(suite, path) == []


def test_nor_in_a_forecast_on_a_grid_of_unknown_place(client: Client, suite: CheckSuite, tmp_path: Path) -> None:
    path = saved(post_npy(client, rain(), NETCDF, lead_minutes=10), tmp_path)
    assert findings(suite, path) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_checker_would_find_something(site: Site, suite: CheckSuite, tmp_path: Path) -> None:
    with xr.open_dataset(saved(site.get(run_url(site), NETCDF), tmp_path), decode_cf=False) as dataset:
        spoiled = dataset.load()
    spoiled.rainfall_rate.attrs |= {"standard_name": "rain", "units": "mm per hour-"}
    del spoiled.attrs["title"]
    spoiled.to_netcdf(tmp_path / "spoiled.nc")
    assert len(findings(suite, tmp_path / "spoiled.nc")) >= 3


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # rioxarray's, of affine
@pytest.mark.parametrize("decode_coords", [True, "all"])
def test_rioxarray_finds_the_place_unasked(decode_coords: bool | str, site: Site, tmp_path: Path) -> None:
    path = saved(site.get(run_url(site), NETCDF), tmp_path)
    with xr.open_dataset(path, decode_coords=decode_coords, decode_timedelta=False) as dataset:  # type: ignore[arg-type]
        field = dataset.rainfall_rate
        assert dataset.rio.crs == field.rio.crs == rasterio.crs.CRS.from_string(str(SMALL.projection))
        west, _, _, north = field.rio.bounds()
        assert (west, north) == pytest.approx((SMALL.north_west[0] - 500, SMALL.north_west[1] + 500))
        assert np.isnan(field.rio.nodata)
        assert field.rio.reproject("EPSG:3857").max() > 0


def test_times_are_the_ends_of_their_bounds(site: Site, tmp_path: Path) -> None:
    path = saved(site.get(run_url(site), NETCDF), tmp_path)
    with xr.open_dataset(path, decode_timedelta=False) as dataset:
        bounds = dataset[dataset.time.attrs["bounds"]].values
        np.testing.assert_array_equal(bounds[:, 1], dataset.time.values)
        assert (bounds[:, 1] - bounds[:, 0] == np.timedelta64(5, "m")).all()
        assert dataset.rainfall_rate.attrs["cell_methods"] == "time: mean"
        assert dataset.rainfall_rate.encoding["chunksizes"] == (1, *SMALL.shape)
        assert dataset.rainfall_rate.encoding["zlib"]
        assert "RY" in dataset.attrs["title"]
        assert "Raincell" in dataset.attrs["history"]


def test_answers_that_never_change_are_the_same_bytes_whoever_writes_them(site: Site) -> None:
    index = site.get("/nowcast").json()
    one, other = (site.get(index["url"], name).content for name in (NETCDF, "application/x-netcdf"))
    assert one == other
    assert f"{index['made_at']} forecast made by Raincell".encode() in one


@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "application/x-npy"])
def test_pixels_say_where_they_lie(media_type: str, site: Site) -> None:
    url = run_url(site)
    with rasterio.MemoryFile(site.get(url, "image/tiff").content) as memory, memory.open() as dataset:
        bounds, crs = dataset.bounds, dataset.crs
    told = site.get(url, media_type).headers
    assert [float(edge) for edge in told["X-Raincell-Bounds"].split(",")] == pytest.approx(list(bounds), abs=1e-2)
    assert rasterio.crs.CRS.from_string(told["X-Raincell-Projection"]) == crs
    corners = [tuple(map(float, corner.split(","))) for corner in told["X-Raincell-Corners"].split(" ")]
    lon, lat = rasterio.warp.transform(
        crs,
        "EPSG:4326",
        [bounds.left, bounds.right, bounds.right, bounds.left],
        [bounds.top, bounds.top, bounds.bottom, bounds.bottom],
    )
    np.testing.assert_allclose(corners, np.stack([lat, lon], axis=1), atol=1e-5)
    index = site.get(url).json()["grid"]
    np.testing.assert_allclose([[place["lat"], place["lon"]] for place in index["corners"].values()], corners)
    assert list(index["corners"]) == ["north_west", "north_east", "south_east", "south_west"]
    row, column = SMALL.to_row_column(index["centre"]["lat"], index["centre"]["lon"])
    assert (row, column) == pytest.approx(((SMALL.shape[0] - 1) / 2, (SMALL.shape[1] - 1) / 2), abs=1e-3)


def test_a_box_has_the_corners_of_the_box(site: Site) -> None:
    url = run_url(site)
    lat, lon = (float(value) for value in SMALL.to_lat_lon(10, 10))
    boxed = site.get(f"{url}?bbox={lon - 0.02},{lat - 0.02},{lon + 0.02},{lat + 0.02}", "image/png")
    whole = site.get(url, "image/png")
    assert boxed.headers["X-Raincell-Bounds"] != whole.headers["X-Raincell-Bounds"]


def test_a_grid_of_unknown_place_has_none(client: Client) -> None:
    answer = post_npy(client, rain(), "image/png", lead_minutes=10)
    assert "X-Raincell-Bounds" not in answer.headers
    grid = post_npy(client, rain(), lead_minutes=10, encoding="none").json()["grid"]
    assert (grid["bounds"], grid["corners"], grid["centre"]) == (None, None, None)
