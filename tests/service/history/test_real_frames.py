"""Real YW frames through POST /frames, runs, places and every format."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio

from radar.files.open import open_sequence
from radar.sequence import iso
from tests.service.conftest import RedisServer, Site, wait_until
from tests.service.routes.test_predict import frames_in, opened

PLACES = {"Berlin": (52.52, 13.40), "Munich": (48.14, 11.58), "London": (51.5, -0.1)}


def test_an_hour_of_yw_is_the_same_in_runs_places_and_formats(
    make_site: Callable[..., Site],
    redis_server: RedisServer,
    real_data: Path,
) -> None:
    site = make_site(redis_url=redis_server.url, run_lead_minutes=15)
    paths = sorted((real_data / "dwd" / "yw_20170816").iterdir())
    truth = open_sequence(paths)
    for part in (paths[:-1], paths[-1:]):
        files = [("frames", (path.name, path.read_bytes())) for path in part]
        assert site.client.post("/frames", files=files).status_code == 201
    newest = iso(truth.valid_times[-1])
    wait_until(lambda: site.get("/nowcast").json().get("reference_time") == newest, "the run")
    site.look_at(truth.valid_times[-1] + timedelta(minutes=4))
    run = site.get("/nowcast").json()
    assert (run["method"], run["degraded"], run["grid"]["name"]) == ("model", None, "radklim")

    for minutes, frame in zip(range(-55, 1, 5), truth.rain_rate, strict=True):
        url = f"/nowcast/{run['run']}/frames/{minutes}"
        json_frame = frames_in(site.get(url).json())[0]
        np.testing.assert_array_equal(json_frame, frame)  # 0.12 mm/h is ten counts
        if minutes % 25 == 0:
            np.testing.assert_array_equal(np.load(io.BytesIO(site.get(url, "application/x-npy").content))[0], frame)
            with opened(site.get(url, "application/netcdf").content) as dataset:
                np.testing.assert_array_equal(dataset.rainfall_rate[0], frame)
            with rasterio.MemoryFile(site.get(url, "image/tiff").content) as memory, memory.open() as dataset:
                np.testing.assert_array_equal(dataset.read(1), frame)

    asked = [{"name": name, "lat": lat, "lon": lon} for name, (lat, lon) in PLACES.items()]
    told = {place["name"]: place for place in site.client.post("/nowcast/points", json=asked).json()["points"]}
    assert told["London"]["coverage"] == "no_coverage"
    for name in ("Berlin", "Munich"):
        row, column = np.rint(truth.grid.to_row_column(*PLACES[name])).astype(int)
        rates = [step["rate"] for step in told[name]["observed"]]
        assert rates == pytest.approx(truth.rain_rate[:, row, column], abs=1e-4)
        assert told[name]["observed"][-1]["valid_to"] == newest
        assert told[name]["forecast"][0]["valid_to"] == iso(truth.valid_times[-1] + timedelta(minutes=5))
