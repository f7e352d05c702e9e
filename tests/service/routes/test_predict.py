"""POST /predict over HTTP: bodies, questions and answers."""

from __future__ import annotations

import base64
import io
import json
import struct
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread
import cv2
import httpx
import netCDF4
import numpy as np
import pytest
import rasterio
import xarray as xr

from models.recurrent import RecurrentForecaster
from radar.colours import COLOURS
from radar.files.open import NamedBytes, open_sequence
from radar.files.radolan import write_radolan
from radar.frame import frames_of
from radar.grid import grid_named
from radar.sequence import Float32, iso
from service.answers.writers import WRITERS
from tests.service.conftest import END, Client, npy, rain, sequence

TIME = "2017-08-16T01:15:00Z"
NPY = {"Content-Type": "application/x-npy"}


def post_npy(client: Client, array: np.ndarray, accept: str = "application/json", **query: Any) -> httpx.Response:
    """An array posted as .npy."""
    query = {"valid_time": TIME, **query}
    return client.post("/predict", params=query, content=npy(array), headers={**NPY, "Accept": accept})


def frames_in(answer: dict[str, Any]) -> Float32:
    """The frames of a JSON answer."""
    frames = answer["frames"]
    return np.frombuffer(base64.b64decode(frames["data"]), frames["dtype"]).reshape(frames["shape"])


def check_problem(response: httpx.Response, status: int, *texts: str) -> dict[str, Any]:
    """The problem document of a response, which must be one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert set(problem) == {"type", "title", "status", "detail", "expected", "got", "remedy"}
    for text in texts:
        assert text in problem["detail"]
    return problem


# --- answers ---------------------------------------------------------------------------------------------------------


def test_json_says_what_the_forecast_is(client: Client) -> None:
    answer = post_npy(client, rain(), lead_minutes=15, product="RY").json()
    assert (answer["model"], answer["version"], answer["product"]) == ("still", "1", "RY")
    assert answer["history_times"][0] == "2017-08-16T00:55:00Z"
    assert answer["history_times"][-1] == answer["reference_time"] == TIME
    assert answer["valid_times"] == ["2017-08-16T01:20:00Z", "2017-08-16T01:25:00Z", "2017-08-16T01:30:00Z"]
    assert answer["lead_minutes"] == [5, 10, 15]
    assert answer["timestep_minutes"] == 5
    assert answer["grid"]["shape"] == [24, 20]
    assert answer["degraded"] is None
    assert answer["age_seconds"] > 8 * 365 * 86400 * 0.9
    assert answer["attribution"] == "Data basis: Deutscher Wetterdienst"


def test_the_summary_counts_what_the_frames_hold(client: Client) -> None:
    answer = post_npy(client, rain(), lead_minutes=5).json()
    frame = frames_in(answer)[0]
    (summary,) = answer["summary"]
    assert summary["lead_minutes"] == 5
    assert summary["max"] == pytest.approx(np.nanmax(frame), abs=1e-3)
    assert summary["mean"] == pytest.approx(np.nanmean(frame), rel=1e-4)
    assert summary["missing_fraction"] == pytest.approx(12 / 480, abs=1e-6)
    assert summary["wet_fraction"] == pytest.approx((frame >= 0.1).sum() / 468, abs=1e-5)


def opened(content: bytes) -> xr.Dataset:
    """NetCDF from memory, by the library that the project has."""
    store = xr.backends.NetCDF4DataStore(netCDF4.Dataset("memory", memory=content))  # type: ignore[no-untyped-call]
    return xr.open_dataset(store)


def test_the_default_is_an_hour(client: Client) -> None:
    assert post_npy(client, rain()).json()["lead_minutes"] == list(range(5, 65, 5))


def test_every_format_has_the_same_numbers_and_missing_stays_missing(client: Client) -> None:
    expected = frames_in(post_npy(client, rain(), lead_minutes=10).json())
    assert expected.shape == (2, 24, 20)
    assert np.isnan(expected[:, :3, :4]).all()
    assert np.isfinite(expected).sum() == 2 * 468
    listed = post_npy(client, rain(), lead_minutes=10, encoding="list").json()["frames"]["data"]
    np.testing.assert_array_equal(np.array(listed, float).astype(np.float32), expected)
    array = np.load(io.BytesIO(post_npy(client, rain(), "application/x-npy", lead_minutes=10).content))
    np.testing.assert_array_equal(array, expected)
    assert array.dtype == np.float32
    tiff = post_npy(client, rain(), "image/tiff", lead_minutes=10).content
    with rasterio.MemoryFile(tiff) as memory, memory.open() as dataset:
        np.testing.assert_array_equal(dataset.read(), expected)
        assert np.isnan(dataset.nodata)
    for media_type in ("application/netcdf", "application/x-netcdf"):
        response = post_npy(client, rain(), media_type, lead_minutes=10)
        assert response.headers["content-type"] == media_type
        with opened(response.content) as dataset:
            np.testing.assert_array_equal(dataset.rainfall_rate, expected)
            assert dataset.attrs["model"] == "still"


def test_encoding_none_leaves_the_frames_away(client: Client) -> None:
    answer = post_npy(client, rain(), encoding="none").json()
    assert "frames" not in answer
    assert len(answer["summary"]) == 12


def test_a_dry_history_is_forecast_dry(client: Client) -> None:
    answer = post_npy(client, np.zeros((5, 24, 20), np.float32)).json()
    assert (frames_in(answer) == 0).all()


@pytest.mark.parametrize("media_type", ["image/png", "image/webp"])
def test_images_show_rain_dry_and_missing_apart(client: Client, media_type: str) -> None:
    array = np.zeros((5, 24, 20), np.float32)
    array[:, 5, 5] = 12.0
    array[:, 0, 0] = np.nan
    response = post_npy(client, array, media_type)
    assert response.headers["content-type"] == media_type
    image = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image.shape == (24, 20, 4)
    from_ten = next(colour for rate, colour in COLOURS if rate == 10.0)
    assert image[5, 5, :3][::-1].tolist() == list(bytes.fromhex(from_ten[1:]))
    assert image[5, 5, 3] == 255
    assert image[10, 10, 3] == 0
    assert image[0, 0].tolist() == [128, 128, 128, 128]


def test_arrays_and_images_have_their_metadata_in_headers(client: Client) -> None:
    headers = post_npy(client, rain(), "application/x-npy", lead_minutes=10, product="RY").headers
    assert headers["x-raincell-model"] == "still 1"
    assert headers["x-raincell-product"] == "RY"
    assert headers["x-raincell-reference-time"] == TIME
    assert headers["x-raincell-lead-minutes"] == "5,10"
    assert "x-raincell-degraded" not in headers
    assert [part.split(";")[0] for part in headers["server-timing"].split(", ")] == ["decode", "forecast", "encode"]


def test_saved_pictures_say_what_they_are_and_whose_data_it_is(client: Client) -> None:
    what = "rain rate in mm/h, RY on unreferenced from 2017-08-16T01:15:00Z"
    owner = "Data basis: Deutscher Wetterdienst"
    tiff = post_npy(client, rain(), "image/tiff", lead_minutes=10, product="RY").content
    with rasterio.MemoryFile(tiff) as memory, memory.open() as dataset:
        tags = dataset.tags()
    assert (tags["TIFFTAG_IMAGEDESCRIPTION"], tags["TIFFTAG_COPYRIGHT"]) == (what, owner)
    png = post_npy(client, rain(), "image/png", lead_minutes=10, product="RY").content
    title = f"{what}, lead 10 min, valid 2017-08-16T01:25:00Z"
    for text in (f"tEXtTitle\0{title}".encode(), f"tEXtCopyright\0{owner}".encode()):
        begin = png.index(text)
        assert png[begin - 4 : begin] == struct.pack(">I", len(text) - 4)
        assert png[begin + len(text) :][:4] == struct.pack(">I", zlib.crc32(text))


def test_a_geotiff_lies_where_the_radar_is(client: Client) -> None:
    grid = grid_named("radolan")
    array = np.zeros((5, *grid.shape), np.float32)
    response = post_npy(client, array, "image/tiff", lead_minutes=5, grid="radolan")
    with rasterio.MemoryFile(response.content) as memory, memory.open() as dataset:
        corner = dataset.transform.c + 500.0, dataset.transform.f - 500.0
        assert corner == pytest.approx(grid.north_west)
        assert dataset.crs.is_projected
        assert dataset.descriptions[0] == "rain rate in mm/h, lead 5 min, valid 2017-08-16T01:20:00Z"


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def radolan_files() -> list[tuple[str, bytes]]:
    """Five RY files in wrong order."""
    frames = frames_of(sequence(5, grid=grid_named("radolan")))
    named = [(f"ry-{number}", write_radolan(frame)) for number, frame in enumerate(frames)]
    return [named[number] for number in (3, 0, 4, 1, 2)]


def post_files(client: Client, files: list[tuple[str, bytes]], accept: str, **query: Any) -> httpx.Response:
    """Files posted as `curl -F frames=@...` does."""
    parts = [("frames", (name, data, "application/octet-stream")) for name, data in files]
    return client.post("/predict", params=query, files=parts, headers={"Accept": accept})


def test_files_npy_and_json_give_the_same_to_the_last_bit(
    client: Client, radolan_files: list[tuple[str, bytes]]
) -> None:
    check_bodies_agree(client, radolan_files)


def check_bodies_agree(client: Client, files: list[tuple[str, bytes]]) -> Float32:
    """The forecast in npy, which must be the same for files, npy and JSON."""
    frames = open_sequence([NamedBytes(name, data) for name, data in files])
    about = {"valid_time": iso(frames.valid_times[-1]), "product": frames.product, "grid": frames.grid.name}
    accept = "application/x-npy"
    from_files = post_files(client, files, accept, lead_minutes=10)
    assert from_files.status_code == 200, from_files.text
    assert "x-raincell-assumed" not in from_files.headers
    from_npy = post_npy(client, frames.rain_rate, accept, lead_minutes=10, **about)
    encoded = base64.b64encode(frames.rain_rate.tobytes()).decode()
    body = {"frames": {"dtype": "<f4", "shape": frames.rain_rate.shape, "data": encoded}, **about}
    from_json = client.post("/predict", params={"lead_minutes": 10}, json=body, headers={"Accept": accept})
    assert from_files.content == from_npy.content == from_json.content
    return np.asarray(np.load(io.BytesIO(from_files.content)))


def test_one_file_alone_is_too_few(client: Client, radolan_files: list[tuple[str, bytes]]) -> None:
    problem = check_problem(
        post_files(client, radolan_files[:1], "*/*"), 422, "expected 5 frames, 5 minutes apart, got 1"
    )
    assert problem["remedy"] == "send at least 5 consecutive frames"
    assert problem["title"] == "Incomplete history"


def test_a_gap_between_files_is_named(client: Client, radolan_files: list[tuple[str, bytes]]) -> None:
    files = [file for file in radolan_files if file[0] != "ry-2"]
    check_problem(post_files(client, files, "*/*"), 422, "10 minutes between 2017-08-16T01:00:00Z and 2017-08-16T01:10")


def test_files_may_not_be_contradicted(client: Client, radolan_files: list[tuple[str, bytes]]) -> None:
    check_problem(post_files(client, radolan_files, "*/*", product="YW"), 422, "YW", "RY")
    check_problem(post_files(client, radolan_files, "*/*", grid="de1200"), 422, "de1200", "radolan")
    check_problem(post_files(client, radolan_files, "*/*", valid_time="2017-08-16T02:00:00Z"), 422, "02:00:00Z")
    check_problem(post_files(client, radolan_files, "*/*", timestep_minutes=10), 422, "10 minutes")


def test_text_is_no_radar_file_and_no_path_is_told(client: Client) -> None:
    problem = check_problem(post_files(client, [("../../etc/passwd", b"hello")], "*/*"), 422)
    assert "etc" not in problem["detail"]


def test_a_form_without_frames_is_refused(client: Client) -> None:
    check_problem(client.post("/predict", files={"other": b"x"}), 422, "field frames")
    check_problem(client.post("/predict", files={"frames": (None, "text")}), 422, "field frames")
    headers = {"Content-Type": "multipart/form-data"}
    check_problem(client.post("/predict", content=b"x", headers=headers), 422, "multipart form")


def test_too_many_files_are_refused(client: Client) -> None:
    check_problem(post_files(client, [("f", b"x")] * 65, "*/*"), 422, "at most 64 files")
    check_problem(post_files(client, [("f", b"x")] * 100, "*/*"), 422, "files")


def test_what_an_array_does_not_say_is_assumed_and_told(client: Client) -> None:
    content = npy(np.zeros((5, 900, 900), np.float32))
    answer = client.post("/predict", params={"encoding": "none"}, content=content, headers=NPY).json()
    assert answer["assumed"][0] == "timestep_minutes 5"
    assert answer["assumed"][1] == "grid radolan, pixel_size_km 1 (by the shape)"
    assert answer["assumed"][2] == f"valid_time {answer['reference_time']} (now)"
    assert 0 <= answer["age_seconds"] < 600
    assert datetime.fromisoformat(answer["reference_time"]).minute % 5 == 0


def test_nested_lists_with_null_are_read(client: Client) -> None:
    array = rain()
    values = array.astype(object)
    values[np.isnan(array)] = None
    lists = values.tolist()
    body = {"frames": lists, "valid_times": [iso(time) for time in sequence().valid_times]}
    answer = client.post("/predict", json=body).json()
    np.testing.assert_array_equal(frames_in(answer), frames_in(post_npy(client, array).json()))


def test_the_frames_of_an_answer_can_be_posted(client: Client) -> None:
    answer = post_npy(client, rain(), lead_minutes=25).json()
    body = {"frames": answer["frames"], "valid_times": answer["valid_times"]}
    assert client.post("/predict", json=body).status_code == 200


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"valid_times": ["2017-08-16T01:15:00Z", "2017-08-16T01:10:00Z"]}, "unordered times"),
        ({"valid_times": ["2017-08-16T01:15:00Z", "2017-08-16T01:15:00Z"]}, "two frames for 2017-08-16T01:15:00Z"),
        ({"valid_times": ["2017-08-16T01:15:00Z"]}, "1 times"),
        ({"valid_times": ["2017-08-16T01:15:00Z"] * 2, "valid_time": TIME}, "valid_time or valid_times"),
        ({"valid_time": "yesterday"}, "valid_time"),
        ({"valid_time": "0001-01-01T00:00:00+14:00"}, "since 1950"),
        ({"valid_time": "9999-12-31T23:59:00-14:00"}, "since 1950"),
        ({"frames": [[[1.0, 2.0]], [[1.0]]]}, "ragged"),
        ({"frames": [[["1.0"]]]}, "valid number"),
        ({"frames": []}, "shape (0,)"),
        ({"frames": [[[1e39]]]}, "infinite"),
        ({"frames": [[[-1.0]]]}, "negative"),
        ({"frames": "text"}, "frames"),
        ({"frames": {"shape": [1, 2, 2], "data": "AAAA"}}, "16 bytes"),
        ({"frames": {"shape": [1, 1, 1], "data": "????"}}, "base64"),
        ({"frames": {"shape": [1, 1, 1], "data": "A" * 1000}}, "4 bytes"),
        ({"frames": {"shape": [1, 10**6, 10**6], "data": ""}}, "at most 64 frames"),
        ({"frames": {"shape": [1, -1, -1], "data": ""}}, "none of them 0"),
        ({"frames": {"shape": [1, 1, 1], "data": "AAAAAA==", "dtype": "<f8"}}, "dtype"),
        ({"grid": "atlantis"}, "radolan"),
        ({"grid": "radolan"}, "900x900"),
        ({"product": "R Y"}, "product"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_json_that_cannot_be_used_says_why(client: Client, change: dict[str, Any], text: str) -> None:
    body = {"frames": [[[0.0, 1.0]], [[0.0, 1.0]]], **change}
    check_problem(client.post("/predict", json=body), 422, text)


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"nonsense", b"\xff\xfe", b"[1]" + b",1" * 2_000_000])
def test_json_that_is_none_is_refused(client: Client, content: bytes) -> None:
    check_problem(client.post("/predict", content=content, headers={"Content-Type": "application/json"}), 422)


def lying_npy(shape: tuple[int, ...]) -> bytes:
    """A .npy file of a few bytes whose header declares more."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue() + b"\0" * 16


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"text", ".npy file"),
        (b"\x93NUMPY\x01\x00", ".npy file"),
        (b"\x93NUMPY\x03\x00" + b"\0" * 100, ".npy file"),
        (lying_npy((1, 900, 900)), "3240000 bytes"),
        (lying_npy((10**9, 10**9, 10**9)), "at most 64 frames"),
        (npy(np.array([{"a": 1}], object)), "dtype object"),
        (npy(np.zeros((1, 2, 2), np.int16)), "dtype int16"),
        (npy(np.zeros((2, 2), np.float32)), "shape (2, 2)"),
        (npy(np.zeros((0, 2, 2), np.float32)), "none of them 0"),
        (npy(np.zeros((65, 2, 2), np.float32)), "at most 64 frames"),
        (npy(np.zeros((1, 2, 2), np.float32)) + b"more", "16 bytes"),
        (npy(np.full((5, 4, 4), 1001.0, np.float32)), "at most 1000 mm/h"),
        (npy(np.full((5, 4, 4), -1.0, np.float32)), "negative"),
        (npy(np.full((5, 4, 4), np.inf, np.float32)), "infinite"),
    ],
)
def test_npy_that_cannot_be_used_says_why(client: Client, content: bytes, text: str) -> None:
    check_problem(client.post("/predict", params={"valid_time": TIME}, content=content, headers=NPY), 422, text)


def test_npy_may_be_in_fortran_order_and_double(client: Client) -> None:
    expected = post_npy(client, rain(), "application/x-npy").content
    assert post_npy(client, np.asfortranarray(rain()), "application/x-npy").content == expected
    assert post_npy(client, rain().astype(">f8"), "application/x-npy").content == expected


def test_a_history_without_any_data_is_forecast_as_missing(client: Client) -> None:
    answer = post_npy(client, np.full((5, 24, 20), np.nan, np.float32)).json()
    assert answer["summary"][0] == {
        "lead_minutes": 5,
        "max": None,
        "mean": None,
        "wet_fraction": None,
        "missing_fraction": 1.0,
    }


def test_a_single_pixel_is_a_grid(client: Client) -> None:
    for media_type in WRITERS:
        assert post_npy(client, np.ones((5, 1, 1), np.float32), media_type).status_code == 200


# --- questions -------------------------------------------------------------------------------------------------------


def test_what_is_not_made_is_refused_before_computing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(RecurrentForecaster, "forecast_batch")
    problem = check_problem(post_npy(client, rain(), "text/html"), 406, "text/html", "application/netcdf")
    assert problem["title"] == "Not acceptable"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/octet-stream"]
)
def test_other_media_types_are_refused(client: Client, content_type: str) -> None:
    response = client.post(
        "/predict", content=b"frames", headers={"Content-Type": content_type} if content_type else {}
    )
    check_problem(response, 415, "multipart/form-data, application/x-npy or application/json")


def test_no_body_and_no_product_says_what_to_do(client: Client) -> None:
    problem = check_problem(client.post("/predict"), 422, "neither")
    assert "product=" in problem["remedy"]


def test_unknown_names_are_not_found(client: Client) -> None:
    check_problem(client.post("/predict?model=nonesuch"), 404, "still", "'nonesuch'")
    check_problem(client.post("/predict?product=XX"), 404, "'XX'")


@pytest.mark.parametrize("lead", [7, 125, 1, 240])
def test_lead_times_that_the_model_has_not_are_refused(client: Client, lead: int) -> None:
    check_problem(post_npy(client, rain(), lead_minutes=lead), 422, "multiple of 5", "120", str(lead))


@pytest.mark.parametrize(
    "query", [{"lead_minutes": "soon"}, {"encoding": "gif"}, {"valid_time": "noon"}, {"product": "a/b"}]
)
def test_queries_that_make_no_sense_are_problems(client: Client, query: dict[str, str]) -> None:
    (name,) = query
    check_problem(post_npy(client, rain(), **query), 422, name, query[name])


def test_frames_from_the_future_are_refused(client: Client) -> None:
    now = datetime.now(UTC)
    assert post_npy(client, rain(), valid_time=iso(now + timedelta(minutes=8))).status_code == 200
    check_problem(post_npy(client, rain(), valid_time=iso(now + timedelta(minutes=12))), 422, "UTC")


def test_another_timestep_than_the_models_is_refused(client: Client) -> None:
    check_problem(post_npy(client, rain(), timestep_minutes=10), 422, "5 frames, 5 minutes apart", "10 minutes")


def test_too_many_values_are_not_listed(client: Client) -> None:
    check_problem(post_npy(client, np.zeros((5, 400, 400), np.float32), encoding="list"), 422, "base64")


def look_at(client: Client, time: datetime) -> None:
    """Set the clock by which answers are given."""
    client.app.state.service = replace(client.app.state.service, clock=lambda: time)


def test_a_forecast_from_stored_frames_that_lies_in_the_past_is_stale(client: Client) -> None:
    add(client, rain())
    for seconds, stale in ((-1, False), (0, True)):
        look_at(client, END + timedelta(hours=1, seconds=seconds))
        answer = client.post("/predict?product=RY", headers={"Accept": "application/x-npy"})
        assert ("x-raincell-degraded" in answer.headers) is stale
    assert answer.headers["x-raincell-degraded"].startswith("stale: the forecast from the newest stored frame ends at")
    assert post_npy(client, rain()).json()["degraded"] is None  # who sends frames knows how old they are


def test_the_history_answers_where_there_is_no_body(client: Client) -> None:
    look_at(client, END)
    added = client.post("/frames", params={"valid_time": TIME, "product": "RY"}, content=npy(rain()), headers=NPY)
    assert added.status_code == 201
    from_history = client.post("/predict?product=RY").json()
    from_body = post_npy(client, rain(), product="RY").json()
    for answer in (from_history, from_body):
        answer.pop("age_seconds")
        answer.pop("assumed")
    assert from_history == from_body


def add(client: Client, frames: Float32, valid_time: str = TIME) -> None:
    """Frames added to the history as RY."""
    query = {"valid_time": valid_time, "product": "RY"}
    assert client.post("/frames", params=query, content=npy(frames), headers=NPY).status_code == 201


def test_a_short_history_is_extrapolated_and_a_single_frame_persists_by_name(client: Client) -> None:
    look_at(client, END)
    add(client, rain(5)[-1:])
    answer = client.post("/predict?product=RY").json()
    assert (answer["method"], answer["degraded"]) == (
        "persistence",
        "1 of 5 frames: persistence instead of model still",
    )
    assert answer["history_times"] == [TIME]
    np.testing.assert_array_equal(frames_in(answer)[-1], rain(5)[-1])
    add(client, rain(5)[-3:])
    response = client.post("/predict?product=RY", headers={"Accept": "application/netcdf"})
    assert response.headers["x-raincell-method"] == "sprog-cdf"
    assert response.headers["x-raincell-degraded"] == "3 of 5 frames: sprog-cdf instead of model still"
    with opened(response.content) as dataset:
        assert dataset.attrs["method"] == "sprog-cdf"


def test_one_missing_frame_of_the_history_is_filled_and_named(client: Client) -> None:
    look_at(client, END)
    add(client, rain(5)[:2], "2017-08-16T01:00:00Z")
    add(client, rain(5)[3:])
    answer = client.post("/predict?product=RY").json()
    assert answer["method"] == "model"
    assert answer["degraded"] == (
        "the frame of 2017-08-16T01:05:00Z is missing and was filled along the motion of the rain"
    )
    assert "2017-08-16T01:05:00Z" not in answer["history_times"]
    assert len(answer["history_times"]) == 4


def test_a_posted_body_with_a_gap_is_refused_all_the_same(client: Client) -> None:
    frames = frames_of(sequence(5, grid=grid_named("radolan")))
    files = [("frames", (f"{k}.bin", write_radolan(frame))) for k, frame in enumerate(frames) if k != 2]
    check_problem(client.post("/predict", files=files), 422, "10 minutes between")


def test_frames_that_the_model_is_not_made_for_are_refused_however_many(client: Client) -> None:
    for count in (1, 5):
        query = {"valid_time": TIME, "product": f"T{count}", "timestep_minutes": 10}
        client.post("/frames", params=query, content=npy(rain(count)), headers=NPY)
        check_problem(client.post(f"/predict?product=T{count}"), 422, "10 minutes apart")


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused(make_client: Callable[..., Client]) -> None:
    client = make_client(max_body_mb=1)
    large = npy(np.zeros((5, 300, 300), np.float32))
    check_problem(client.post("/predict", content=large, headers=NPY), 413, "at most 1 MiB", f"{len(large)} bytes")

    async def chunks(first: bytes = b"") -> AsyncIterator[bytes]:
        yield first
        for start in range(0, len(large), 65536):
            yield large[start : start + 65536]

    check_problem(client.post("/predict", content=chunks(), headers=NPY), 413, "at most 1 MiB", "more than")
    part = b'--b\r\nContent-Disposition: form-data; name="frames"; filename="f"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    check_problem(client.post("/frames", content=chunks(part), headers=headers), 413, "at most 1 MiB")


def test_bodies_together_are_bounded_and_free_their_room(make_client: Callable[..., Client]) -> None:
    client, answers = make_client(max_body_mb=1, queue=2), []
    body = npy(np.zeros((5, 200, 200), np.float32))
    release, waiting = threading.Event(), threading.Semaphore(0)

    async def stalling() -> AsyncIterator[bytes]:
        yield body[:-8]
        waiting.release()
        await anyio.to_thread.run_sync(release.wait)
        yield body[-8:]

    def post() -> None:
        answers.append(client.post("/predict", content=stalling(), headers=NPY))

    slow = [threading.Thread(target=post) for _ in range(2)]
    for thread in slow:
        thread.start()
        assert waiting.acquire(timeout=60)
    refused = client.post("/predict", content=body, headers=NPY)
    release.set()
    for thread in slow:
        thread.join()
    check_problem(refused, 503, "at most 2 MiB of bodies")
    assert int(refused.headers["retry-after"]) > 0
    assert [answer.status_code for answer in answers] == [200, 200]
    assert client.post("/predict", content=body, headers=NPY).status_code == 200


def test_a_full_queue_says_when_to_come_again(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    release, started = threading.Event(), threading.Event()
    forecast = RecurrentForecaster.forecast_batch

    def slow(*arguments: Any, **rest: Any) -> Any:
        started.set()
        assert release.wait(60)
        return forecast(*arguments, **rest)

    monkeypatch.setattr(RecurrentForecaster, "forecast_batch", slow)
    client, answers = make_client(queue=1), []
    first = threading.Thread(target=lambda: answers.append(post_npy(client, rain())))
    first.start()
    assert started.wait(60)
    refused = post_npy(client, rain())
    release.set()
    first.join()
    check_problem(refused, 503, "at most 1 forecasts")
    assert int(refused.headers["retry-after"]) > 0
    assert answers[0].status_code == 200
    assert post_npy(client, rain()).status_code == 200


def test_a_fault_of_ours_tells_nothing_of_the_inside(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"secret in {__file__}")

    monkeypatch.setattr(RecurrentForecaster, "forecast_batch", fail)
    problem = check_problem(post_npy(client, rain()), 500)
    assert "secret" not in json.dumps(problem)


# --- real radar ------------------------------------------------------------------------------------------------------


def test_real_files_npy_and_json_give_the_same_to_the_last_bit(client: Client, real_data: Path) -> None:
    paths = sorted((real_data / "dwd" / "yw_20170816").iterdir())[:5]
    frames = open_sequence(paths)
    forecast = check_bodies_agree(client, [(path.name, path.read_bytes()) for path in reversed(paths)])
    assert forecast.shape == (2, 1100, 900)
    np.testing.assert_array_equal(np.isnan(forecast[0]), np.isnan(frames.rain_rate[-1]))


def test_real_files_give_netcdf_on_the_ground(client: Client, real_data: Path) -> None:
    paths = sorted((real_data / "dwd" / "yw_20170816").iterdir())[:5]
    response = post_files(client, [(path.name, path.read_bytes()) for path in paths], "application/netcdf")
    with opened(response.content) as dataset:
        assert dataset.rainfall_rate.shape == (12, 1100, 900)
        times = dataset.time.values.astype("datetime64[m]")
    assert times[0] == np.datetime64("2017-08-16T01:20")
    assert (np.diff(times) == np.timedelta64(5, "m")).all()


def test_one_real_file_alone_is_too_few(client: Client, real_data: Path) -> None:
    path = sorted((real_data / "dwd" / "yw_20170816").iterdir())[0]
    response = post_files(client, [(path.name, path.read_bytes())], "application/netcdf")
    check_problem(response, 422, "expected 5 frames, 5 minutes apart, got 1")
