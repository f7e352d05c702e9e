"""The whole way: an hour of real frames through feed, Redis, run, places and formats."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import rasterio

from radar.files.open import open_sequence
from radar.grid import grid_named
from radar.sequence import Float32, iso
from radar.system.durable import write_text
from service.__main__ import main
from tests.service.conftest import RedisServer, ServiceProcess, wait_until
from tests.service.routes.test_predict import frames_in, opened

HALF_A_STEP = 0.0061
"""mm/h: stored rates are multiples of 0.012."""


def test_an_hour_of_real_frames_becomes_a_run_in_every_format(
    real_data: Path, redis_server: RedisServer, make_service_process: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    folder = real_data / "dwd" / "yw_20170816"
    observed = open_sequence(sorted(folder.iterdir()))
    assert main(["ingest", "--source", str(folder), "--product", "YW", "--redis-url", redis_server.url, "--once"]) == 0
    # Retention and runs count from the frames. By this machine's clock they are years old, so it is put back.
    end, clock = observed.valid_times[-1], tmp_path / "clock"
    set_clock(clock, end + timedelta(minutes=4))
    program = [str(Path(__file__).with_name("shifted_clock.py")), str(clock), "run"]
    service = make_service_process(program, RAINCELL_REDIS_URL=redis_server.url, RAINCELL_RUN_LEAD_MINUTES="30")
    wait_until(lambda: get(service, "/nowcast").json().get("method") == "model", "the run")
    run = get(service, "/nowcast").json()
    assert (run["product"], run["reference_time"], run["method"]) == ("YW", iso(observed.valid_times[-1]), "model")
    assert [frame["lead_minutes"] for frame in run["forecast"]] == [5, 10, 15, 20, 25, 30]
    forecast = check_formats(service, run["url"])
    np.testing.assert_array_equal(np.isnan(forecast[0]), np.isnan(observed.rain_rate[-1]))
    np.testing.assert_allclose(forecast[0], observed.rain_rate[-1], atol=2 * HALF_A_STEP, rtol=1e-4)
    check_past(service, run["url"], observed.rain_rate)
    check_places(service, forecast)
    set_clock(clock, end + timedelta(minutes=31))
    check_nothing_is_told_of_the_past(service)


def set_clock(file: Path, now: datetime) -> None:
    write_text(file, str((now - datetime.now(UTC)).total_seconds()))


def check_formats(service: ServiceProcess, url: str) -> Float32:
    """All formats hold the same numbers, which are returned."""
    array: Float32 = np.load(io.BytesIO(get(service, url, "application/x-npy").content))
    frames = [frames_in(get(service, f"{url}/frames/{lead}").json())[0] for lead in range(5, 31, 5)]
    np.testing.assert_array_equal(np.stack(frames), array)
    with opened(get(service, url, "application/netcdf").content) as dataset:
        np.testing.assert_array_equal(dataset.rainfall_rate, array)
    with rasterio.MemoryFile(get(service, url, "image/tiff").content) as memory, memory.open() as picture:
        np.testing.assert_array_equal(picture.read(), array)
    return array


def check_past(service: ServiceProcess, url: str, observed: Float32) -> None:
    """The observed frames come back to the stored step, whatever format, and NaN stays NaN."""
    for minutes, rain in ((0, observed[-1]), (-30, observed[-7])):
        back = np.load(io.BytesIO(get(service, f"{url}/frames/{minutes}", "application/x-npy").content))[0]
        np.testing.assert_allclose(back, rain, atol=HALF_A_STEP)


def check_places(service: ServiceProcess, forecast: Float32) -> None:
    """Where it is wettest, where it is dry and where no radar sees."""
    grid = grid_named("radklim")
    wettest = np.unravel_index(np.nanargmax(forecast[0]), forecast[0].shape)
    dry, blind = (np.argwhere(chosen)[0] for chosen in (forecast[0] == 0, np.isnan(forecast[0])))
    for (row, column), rains, coverage in ((wettest, True, "ok"), (dry, False, "ok"), (blind, None, "no_coverage")):
        lat, lon = (float(degrees) for degrees in grid.to_lat_lon(row, column))
        place = get(service, f"/nowcast/point?lat={lat:.5f}&lon={lon:.5f}").json()
        assert (place["rain_now"], place["coverage"], place["degraded"]) == (rains, coverage, None)
        first = place["forecast"][0]["rate"]
        assert (None if first is None else first >= 0.1) is rains
        rates = np.array([step["rate"] for step in place["forecast"]], np.float32)  # null becomes NaN
        np.testing.assert_allclose(rates, forecast[:, row, column], atol=1e-3)


def check_nothing_is_told_of_the_past(service: ServiceProcess) -> None:
    """The run's end has passed: nobody knows whether it rains now."""
    place = get(service, "/nowcast/point?lat=52.5&lon=13.4").json()
    assert (place["rain_now"], {step["rate"] for step in place["forecast"]}) == (None, {None})
    assert place["degraded"].startswith("stale: the latest run ended at 2017-08-16T")


def get(service: ServiceProcess, url: str, accept: str = "application/json") -> httpx.Response:
    return httpx.get(service.url + url, headers={"Accept": accept}, timeout=120)
