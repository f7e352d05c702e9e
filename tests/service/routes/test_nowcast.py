"""Runs over HTTP: which one answers, its forms, and how long it may be kept."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import cv2
import httpx
import numpy as np
import pytest
import rasterio

from radar.grid import Grid
from radar.sequence import iso
from service.answers.field import Field
from service.answers.images import to_png
from service.answers.large import Content
from service.answers.writers import WRITERS
from service.runs.region import window_of
from tests.service.conftest import END, SMALL, STEP, RedisServer, Site, sequence, wait_until
from tests.service.routes.test_predict import check_problem, frames_in, opened

SOON = END + timedelta(minutes=4)


def expected_rain() -> np.ndarray:
    """The tiny model repeats the last frame; stored in steps of 0.012 mm/h."""
    last = sequence(6, end=END).rain_rate[-1]
    return np.stack([last] * 6)


# --- which run answers -----------------------------------------------------------------------------------------------


def test_the_index_says_what_the_run_is_and_where_its_frames_are(site: Site) -> None:
    site.look_at(SOON)
    response = site.get("/nowcast")
    index = response.json()
    assert index["run"].startswith(f"RY.{SMALL.key}.20170816T0115Z.still-1.")
    assert index["url"] == f"/nowcast/{index['run']}"
    assert (index["model"], index["version"], index["method"], index["degraded"]) == ("still", "1", "model", None)
    assert (index["reference_time"], index["history_times"][-1]) == (iso(END), iso(END))
    assert len(index["history_times"]) == 5
    assert index["attribution"] == "Data basis: Deutscher Wetterdienst"
    assert [frame["lead_minutes"] for frame in index["observed"]] == list(range(-25, 1, 5))
    assert [frame["lead_minutes"] for frame in index["forecast"]] == list(range(5, 31, 5))
    assert index["forecast"][0]["valid_time"] == iso(END + STEP)
    assert site.get(index["url"]).json() == index
    for frame in index["observed"] + index["forecast"]:
        told = site.get(frame["url"]).json()
        assert (told["run"], told["lead_minutes"]) == (index["run"], [frame["lead_minutes"]])
        assert told["valid_times"] == [frame["valid_time"]]
        if frame["probability_url"]:
            assert site.get(frame["probability_url"]).status_code == 200
    assert response.headers["x-raincell-age-seconds"] == "240"


@pytest.mark.parametrize("media_type", ["application/json", "application/x-npy", "image/png", "image/tiff"])
def test_a_run_whose_end_has_passed_is_called_stale_in_every_form(site: Site, media_type: str) -> None:
    site.look_at(END + timedelta(minutes=30, seconds=-3))
    fresh = site.get("/nowcast", media_type)
    assert "x-raincell-degraded" not in fresh.headers
    assert max_age(fresh) == 3  # never past the moment from which on it is stale
    site.look_at(END + timedelta(minutes=30))
    ended = site.get("/nowcast", media_type, **{"If-None-Match": fresh.headers["etag"]})
    assert ended.status_code == 200
    assert ended.headers["x-raincell-degraded"].startswith("stale: the latest run ended at 2017-08-16T01:45:00Z")
    assert max_age(ended) == 5
    run = ended.headers["x-raincell-run"]
    assert "x-raincell-degraded" not in site.get(f"/nowcast/{run}", media_type).headers  # a run by its id never changes
    if media_type == "application/json":
        assert ended.json()["degraded"] == ended.headers["x-raincell-degraded"]


def test_the_product_need_be_named_only_where_there_are_several(site: Site) -> None:
    assert site.get("/nowcast?product=RY").json() == site.get("/nowcast").json()
    check_problem(site.get("/nowcast?product=YW"), 404, "'YW'")
    check_problem(site.get("/nowcast?grid=radolan"), 404, "'radolan'")
    site.add(sequence(5, end=END, product="YW"))
    check_problem(site.get("/nowcast"), 422, "product=RY&grid=small", "product=YW&grid=small")
    assert site.get("/nowcast?product=YW").json()["product"] == "YW"
    later = END + timedelta(minutes=360)  # the product has changed its grid
    site.add(sequence(5, end=later, grid=Grid("other", (24, 20), 1.0)))
    check_problem(site.get("/nowcast?product=RY"), 422, "grid of RY")


def test_without_frames_or_without_a_run_it_says_so(make_site: Callable[..., Site]) -> None:
    site = make_site(runs=False)
    check_problem(site.get("/nowcast"), 404, "POST /frames")
    site.service.history.append(sequence(5, end=END))
    response = site.get("/nowcast")
    check_problem(response, 503, "first run is still being made")
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["cache-control"] == "no-store"


def test_a_corrected_frame_makes_another_latest_run_and_the_old_one_stays(site: Site) -> None:
    site.look_at(SOON)
    before = site.get("/nowcast").json()
    after = site.add(sequence(1, end=END, seed=7))
    assert after != before["run"]
    assert site.get("/nowcast").json()["run"] == after
    assert site.get(before["url"]).json() == before


def test_unknown_and_expired_runs_and_frames(make_site: Callable[..., Site]) -> None:
    site = make_site(run_minutes=15)
    old = site.add(sequence(5, end=END))
    run = site.add(sequence(5, end=END + 4 * STEP))
    for rest in ("", "/frames/5", "/probability/5"):
        expired = site.get(f"/nowcast/{old}{rest}")
        check_problem(expired, 410, "which has expired")
        assert expired.headers["cache-control"] == "no-store"
        check_problem(site.get(f"/nowcast/{run[:-1]}x{rest}"), 404, "id of a run")
        check_problem(site.get(f"/nowcast/nonesuch{rest}"), 404, "id of a run")
    check_problem(site.get(f"/nowcast/{run}/frames/7"), 422, "5, 10, 15", "got 7")
    check_problem(site.get(f"/nowcast/{run}/frames/125"), 422)
    check_problem(site.get(f"/nowcast/{run}/probability/125"), 422)
    check_problem(site.get(f"/nowcast/{run}/probability/0"), 422)
    check_problem(site.get(f"/nowcast/{run}/frames/soon"), 422)


# --- forms -----------------------------------------------------------------------------------------------------------


def test_a_whole_run_has_the_same_numbers_in_every_format(site: Site) -> None:
    wanted = expected_rain()
    url = site.get("/nowcast").json()["url"]
    array = np.load(io.BytesIO(site.get("/nowcast", "application/x-npy").content))
    np.testing.assert_array_equal(np.isnan(array), np.isnan(wanted))
    np.testing.assert_allclose(array, wanted, atol=0.007)  # half a step of 0.012 mm/h, and the model's own rounding
    assert np.isnan(array).any()
    frames = [frames_in(site.get(f"{url}/frames/{lead}").json())[0] for lead in range(5, 31, 5)]
    np.testing.assert_array_equal(np.stack(frames), array)
    for media_type in ("application/netcdf", "application/x-netcdf"):
        with opened(site.get(url, media_type).content) as dataset:
            np.testing.assert_array_equal(dataset.rainfall_rate, array)
            assert dataset.attrs["run"] in url
            assert list(dataset.lead_time.values.astype("timedelta64[m]").astype(int)) == list(range(5, 31, 5))
    with rasterio.MemoryFile(site.get(url, "image/tiff").content) as memory, memory.open() as dataset:
        np.testing.assert_array_equal(dataset.read(), array)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.tags()["TIFFTAG_COPYRIGHT"] == "Data basis: Deutscher Wetterdienst"
        assert "lead 30 min" in dataset.descriptions[-1]
        assert dataset.crs is not None
    observed = frames_in(site.get(f"{url}/frames/-5").json())[0]
    np.testing.assert_array_equal(observed, sequence(6, end=END).rain_rate[-2])
    assert "frames" not in site.get(f"{url}/frames/5?encoding=none").json()
    assert site.get(f"{url}/frames/5?encoding=list").json()["frames"]["data"][0][0][0] is None


def test_pictures_show_the_lead_that_is_asked_for(site: Site) -> None:
    url = site.get("/nowcast").json()["url"]
    for media_type in ("image/png", "image/webp"):
        asked = site.get("/nowcast?lead_minutes=-20", media_type)
        assert asked.headers["x-raincell-lead-minutes"] == "-20"
        assert asked.content == site.get(f"{url}/frames/-20", media_type).content
        assert asked.content != site.get("/nowcast", media_type).content
        assert site.get("/nowcast", media_type).headers["x-raincell-lead-minutes"] == "30"
        picture = cv2.imdecode(np.frombuffer(asked.content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        assert picture.shape == (24, 20, 4)
    check_problem(site.get("/nowcast?lead_minutes=7", "image/png"), 422, "got 7")
    check_problem(site.get("/nowcast", "text/html"), 406)


def test_a_box_cuts_every_format_alike(site: Site) -> None:
    lat, lon = SMALL.to_lat_lon([12, 6], [5, 12])
    box = f"{lon[0]:.6f},{lat[0]:.6f},{lon[1]:.6f},{lat[1]:.6f}"
    window = window_of(SMALL, (lon[0], lat[0], lon[1], lat[1]))
    whole = np.load(io.BytesIO(site.get("/nowcast", "application/x-npy").content))
    part = np.load(io.BytesIO(site.get(f"/nowcast?bbox={box}", "application/x-npy").content))
    np.testing.assert_array_equal(part, whole[:, window[0], window[1]])
    assert part[0].size < whole[0].size
    with (
        rasterio.MemoryFile(site.get(f"/nowcast?bbox={box}", "image/tiff").content) as memory,
        memory.open() as dataset,
    ):
        np.testing.assert_array_equal(dataset.read(), part)
        x, y = dataset.xy(0, 0)
        assert (x, y) == pytest.approx((SMALL.x_metres[window[1]][0], SMALL.y_metres[window[0]][0]))
    url = site.get("/nowcast").json()["url"]
    frame = site.get(f"{url}/frames/30?bbox={box}").json()
    np.testing.assert_array_equal(frames_in(frame)[0], part[-1])
    assert frame["grid"]["shape"] == list(part[0].shape)
    chance = site.get(f"{url}/probability/30?bbox={box}").json()
    field = site.get(f"{url}/probability/30").json()
    np.testing.assert_array_equal(frames_in(chance)[0], frames_in(field)[0][window])
    check_problem(site.get("/nowcast?bbox=100,10,110,20"), 422, "longitudes come first")
    check_problem(site.get("/nowcast?bbox=1,2,3"), 422, "west,south,east,north")


def test_a_grid_of_unknown_place_has_runs_but_no_boxes(make_site: Callable[..., Site]) -> None:
    site = make_site()
    site.add(sequence(5, end=END, grid=Grid("unreferenced", (24, 20), 1.0)))
    check_problem(site.get("/nowcast?bbox=1,2,3,4"), 422, "projection")
    assert site.get("/nowcast", "image/tiff").status_code == 200


def test_probabilities_come_in_every_format_and_name_their_method(site: Site) -> None:
    site.add(sequence(1, end=END + STEP, seed=5))
    url = site.get("/nowcast").json()["url"]
    answer = site.get(f"{url}/probability/15?threshold=5").json()
    assert (answer["threshold"], answer["lead_minutes"], answer["valid_time"]) == (5, 15, iso(END + 4 * STEP))
    assert answer["method"] == "neighbourhood and time-lagged runs"
    assert len(answer["runs"]) == 2
    assert answer["neighbourhood_km"] > 0
    field = frames_in(answer)
    assert field.shape == (1, 24, 20)
    assert np.nanmin(field) >= 0
    assert np.nanmax(field) <= 1
    assert np.isnan(field[0, :3, :4]).all()
    more = frames_in(site.get(f"{url}/probability/15?threshold=0.1").json())
    assert (more[np.isfinite(more)] >= field[np.isfinite(field)]).all()
    array = np.load(io.BytesIO(site.get(f"{url}/probability/15?threshold=5", "application/x-npy").content))
    np.testing.assert_array_equal(array, field)
    with opened(site.get(f"{url}/probability/15?threshold=5", "application/netcdf").content) as dataset:
        variable = dataset["probability_of_rainfall_rate_above_threshold"]
        np.testing.assert_array_equal(variable, field)
        assert variable.attrs["units"] == "1"
    tiff = site.get(f"{url}/probability/15?threshold=5", "image/tiff").content
    with rasterio.MemoryFile(tiff) as memory, memory.open() as dataset:
        np.testing.assert_array_equal(dataset.read(), field)
        assert dataset.tags()["TIFFTAG_IMAGEDESCRIPTION"].startswith("probability of at least 5 mm/h, ")
    assert b"probability of at least 1 mm/h, " in site.get(f"{url}/probability/15", "image/png").content[:200]
    assert site.get(f"{url}/probability/15", "image/webp").content[:4] == b"RIFF"
    assert "frames" not in site.get(f"{url}/probability/15?encoding=none").json()
    check_problem(site.get(f"{url}/probability/15?threshold=2"), 422, "threshold")
    # No earlier run reaches this far.
    assert len(site.get(f"{url}/probability/30").json()["runs"]) == 1


# --- keeping ---------------------------------------------------------------------------------------------------------


def max_age(response: httpx.Response) -> int:
    (age,) = re.findall(r"max-age=(\d+)", response.headers["cache-control"])
    return int(age)


def directives(response: httpx.Response) -> str:
    """Cache-Control without the seconds, which go by."""
    return re.sub(r"\d+", "", response.headers["cache-control"])


def test_what_has_not_changed_is_not_sent_again(site: Site) -> None:
    site.look_at(SOON)
    url = site.get("/nowcast").json()["url"]
    tags = set()
    for address in ("/nowcast", url, f"{url}/frames/5", f"{url}/probability/5"):
        for media_type in ("application/json", "application/x-npy", "image/png", "image/tiff"):
            began = time.monotonic()
            first = site.get(address, media_type)
            tag = first.headers["etag"]
            assert tag.startswith('"')
            again = site.get(address, media_type, **{"If-None-Match": f'"other", {tag}'})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
            assert directives(again) == directives(first)
            passed = time.monotonic() - began
            assert 0 <= max_age(first) - max_age(again) <= passed + 1  # of the latest run it is what is left of it
            since = site.get(address, media_type, **{"If-Modified-Since": first.headers["last-modified"]})
            assert since.status_code == 304
            assert site.get(address, media_type, **{"If-None-Match": '"other"'}).content == first.content
            assert "Accept" in first.headers["vary"].split(", ")
            tags.add(tag)
    assert len(tags) == 12  # the latest run and the run by its id are the same things


def test_a_run_may_be_kept_for_ever_and_the_latest_until_the_next(site: Site) -> None:
    index = site.get("/nowcast").json()
    kept = site.get("/nowcast").headers["cache-control"]
    assert 5 <= int(kept.removeprefix("max-age=")) <= 300
    for address in (index["url"], index["forecast"][0]["url"]):
        assert site.get(address).headers["cache-control"] == "max-age=31536000, immutable"
    tag = site.get("/nowcast").headers["etag"]
    site.add(sequence(1, end=END + STEP))
    answer = site.get("/nowcast", **{"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.headers["etag"] != tag


def test_answers_are_written_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    url, drawn = site.get("/nowcast").json()["url"], list[Field]()

    def draw(field: Field) -> Content:
        drawn.append(field)
        return to_png(field)

    monkeypatch.setitem(WRITERS, "image/png", replace(WRITERS["image/png"], write=draw))
    for _ in range(3):
        assert site.get(f"{url}/frames/5", "image/png").status_code == 200
    assert len(drawn) == 1


# --- replicas and Redis ----------------------------------------------------------------------------------------------


def test_a_replica_that_makes_no_runs_serves_those_of_others(
    make_site: Callable[..., Site], redis_server: RedisServer
) -> None:
    maker, server = make_site(redis_url=redis_server.url), make_site(redis_url=redis_server.url, runs=False)
    run = maker.add(sequence(5, end=END))
    assert server.get("/nowcast").json()["run"] == run
    for media_type in ("application/x-npy", "application/netcdf", "image/png", "image/tiff"):
        ours, theirs = maker.get(f"/nowcast/{run}", media_type), server.get(f"/nowcast/{run}", media_type)
        assert ours.content == theirs.content
        assert ours.headers["etag"] == theirs.headers["etag"]


def test_without_redis_the_last_run_answers_and_says_so(
    make_site: Callable[..., Site], redis_server: RedisServer
) -> None:
    site = make_site(redis_url=redis_server.url)
    run = site.add(sequence(5, end=END))
    site.look_at(SOON)
    before = site.get("/nowcast", "application/x-npy")
    redis_server.kill()
    wait_until(lambda: site.get("/nowcast").json()["degraded"] is not None, "the loss of Redis to be seen")
    answer = site.get("/nowcast")
    assert answer.status_code == 200
    assert answer.json()["run"] == run
    assert answer.json()["degraded"] == "run store unavailable: the last run that this process remembers"
    assert answer.headers["x-raincell-degraded"].startswith("run store unavailable")
    assert answer.headers["cache-control"] == "max-age=5"
    array = site.get("/nowcast", "application/x-npy")
    assert array.content == before.content
    assert array.headers["etag"] != before.headers["etag"]
    assert site.get(f"/nowcast/{run}/frames/10").status_code == 200
    assert site.get(f"/nowcast/{run}/probability/10").status_code == 200
    assert site.get("/nowcast/point?lat=53&lon=10").status_code == 200
    other = run[:-4] + "ffff"
    check_problem(site.get(f"/nowcast/{other}"), 503)


def test_a_replica_that_never_saw_redis_answers_503(make_site: Callable[..., Site], redis_server: RedisServer) -> None:
    redis_server.kill()
    site = make_site(redis_url=redis_server.url)
    for address in ("/nowcast", "/nowcast?product=RY", "/nowcast/point?lat=53&lon=10"):
        response = site.get(address)
        check_problem(response, 503)
        assert int(response.headers["retry-after"]) > 0
