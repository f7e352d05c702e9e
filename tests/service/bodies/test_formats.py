"""What the service says to files of every kind that Germany's radar comes in, over HTTP."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from radar.files.odim import write_odim
from radar.files.radolan import write_radolan
from radar.files.rv import ArchiveForm, write_archive
from radar.frame import Frame, frames_of
from radar.grid import KNOWN_GRIDS
from radar.sequence import FrameSequence
from tests.service.conftest import Client

MADE = datetime(2022, 10, 18, 7, tzinfo=UTC)
TIMES = tuple(MADE + timedelta(minutes=5 * k) for k in range(5))
QUERY = {"lead_minutes": 5, "encoding": "none"}


@lru_cache
def forecast(grid: str = "radolan-wgs84", leads: int = 5) -> FrameSequence:
    """A forecast as RV has it, from lead 0 on."""
    rain = np.full((leads, *KNOWN_GRIDS[grid].shape), 1.2, np.float32)
    return FrameSequence(
        rain, tuple(MADE + timedelta(minutes=5 * k) for k in range(leads)), KNOWN_GRIDS[grid], 5, "RV", MADE
    )


def observations(product: str) -> list[Frame]:
    return [
        replace(f, product=product, reference_time=None, grid=KNOWN_GRIDS["radolan"]) for f in frames_of(forecast())
    ]


def binary(header: bytes, time: datetime, body: bytes) -> bytes:
    """A RADOLAN file of a product that the project does not write itself; {time} is filled in."""
    product, rest = header[:2], header[2:]
    length = len(header) + 17 + 8 + 1 + len(body)
    return (
        product
        + b"%s10000%sBY%8d" % (f"{time:%d%H%M}".encode(), f"{time:%m%y}".encode(), length)
        + rest
        + (b"\x03" + body)
    )


def tar_of(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            described = tarfile.TarInfo(name)
            described.size = len(data)
            archive.addfile(described, io.BytesIO(data))
    return stream.getvalue()


def reflectivity(time: datetime) -> bytes:
    return binary(b"RXVS 3SW   2.13.1PR E+00INT   5GP 900x 900", time, bytes([101]) * 810_000)


def hourly(time: datetime) -> bytes:
    return binary(b"RWVS 3SW   2.13.1PR E-01INT  60GP 900x 900", time, bytes(1_620_000))


def post(client: Client, files: Sequence[bytes], route: str = "/predict") -> httpx.Response:
    parts = [("frames", (f"file{k}", data, "application/octet-stream")) for k, data in enumerate(files)]
    return client.post(route, params=QUERY if route == "/predict" else {}, files=parts)


def detail(response: httpx.Response) -> str:
    """The text of a 422."""
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return str(response.json()["detail"])


@pytest.mark.parametrize("product", ["RY", "YW", "RZ"])
def test_rain_is_forecast(product: str, client: Client) -> None:
    answer = post(client, [gzip.compress(write_radolan(frame)) for frame in observations(product)])
    assert answer.status_code == 200, answer.text
    assert answer.json()["product"] == product


def test_reflectivity_is_forecast_as_rain(client: Client) -> None:
    answer = post(client, [gzip.compress(reflectivity(time)) for time in TIMES])
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    assert said["product"] == "RX"
    # Code 101 is 18 dBZ: (10^1.8 / 256)^(1 / 1.42) mm/h.
    heaviest = (10**1.8 / 256) ** (1 / 1.42)
    forecast = client.post(
        "/predict",
        params={"lead_minutes": 5},
        files=[("frames", (f"{k}", reflectivity(time), "application/octet-stream")) for k, time in enumerate(TIMES)],
        headers={"Accept": "application/x-npy"},
    )
    values = np.frombuffer(forecast.content[-810_000 * 4 :], "<f4")
    np.testing.assert_allclose(np.nanmax(values), heaviest, rtol=1e-4)


def test_hourly_sums_are_refused_by_their_timestep(client: Client) -> None:
    hours = [MADE + timedelta(hours=k) for k in range(5)]
    text = detail(post(client, [gzip.compress(hourly(time)) for time in hours]))
    assert "5 minutes" in text
    assert "60 minutes" in text


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "old": lambda: write_archive(forecast(), form="binary"),
    "new, 16 bits": lambda: write_archive(forecast(), form="odim", bits=16),
    "new, 32 bits, gzip": lambda: gzip.compress(write_archive(forecast(), form="odim", bits=32)),
}


@pytest.mark.parametrize("kind", list(ARCHIVES))
@pytest.mark.parametrize("route", ["/predict", "/frames"])
def test_archives_of_forecasts_are_refused_as_history(kind: str, route: str, client: Client) -> None:
    text = detail(post(client, [ARCHIVES[kind]()], route))
    assert text.startswith(
        "expected observed frames, got a forecast made at 2022-10-18T07:00:00Z, 0 minutes ahead, in "
    )
    assert text.endswith("a forecast is not history")
    assert client.get("/frames").json()["series"] == []


def test_more_pixels_than_a_body_may_hold_are_still_called_a_forecast(client: Client) -> None:
    """25 leads of DE1200 are beyond the limits of a body, but that is not what is wrong with them."""
    lead = frames_of(forecast("de1200", 1))[0]
    whole = FrameSequence(
        np.broadcast_to(lead.rain_rate, (25, 1200, 1100)),
        tuple(MADE + timedelta(minutes=5 * k) for k in range(25)),
        lead.grid,
        5,
        "RV",
        MADE,
    )
    assert "got a forecast made at" in detail(post(client, [write_archive(whole, form="odim")]))


@pytest.mark.parametrize("write", [write_radolan, write_odim])
def test_single_lead_times_are_refused_as_history(write: Callable[[Frame], bytes], client: Client) -> None:
    leads = [bz2.compress(write(frame)) for frame in frames_of(forecast())[1:]]
    text = detail(post(client, leads))
    assert "got a forecast made at 2022-10-18T07:00:00Z, 5 minutes ahead, in file0" in text


def test_forecasts_among_observations_are_named(client: Client) -> None:
    files = [write_odim(replace(frame, product="RY", reference_time=None)) for frame in frames_of(forecast())]
    files[3] = write_odim(replace(frames_of(forecast())[3], product="RY"))
    assert "15 minutes ahead, in file3" in detail(post(client, files))


@pytest.mark.parametrize(("product", "text"), [(b"RE", "solid fraction"), (b"RQ", "forecast of hourly sums")])
def test_what_is_no_rain_rate_is_refused_by_name(product: bytes, text: str, client: Client) -> None:
    data = binary(product + b"VS 5SW P300001HPR E-03INT  60GP 900x 900VV 000", MADE, bytes(1_620_000))
    assert text in detail(post(client, [data]))


def test_an_archive_of_observations_is_read_like_its_files(client: Client) -> None:
    files = {f"{k}": write_radolan(frame) for k, frame in enumerate(observations("RY"))}
    answer = post(client, [bz2.compress(tar_of(files))])
    assert answer.status_code == 200, answer.text


def test_dwds_own_forecast_is_refused_and_its_reflectivity_read(client: Client, real_data: Path) -> None:
    archive = (real_data / "dwd" / "DE1200_RV2210180700.tar.bz2").read_bytes()
    assert "got a forecast made at 2022-10-18T07:00:00Z" in detail(post(client, [archive]))
    (path,) = (real_data / "dwd").glob("raa01-rx*_Braunsbach")
    assert "frames, 5 minutes apart, got 1" in detail(post(client, [path.read_bytes()]))


FORMS: tuple[ArchiveForm, ...] = ("binary", "odim")


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_archive_names_no_folder(form: ArchiveForm, client: Client) -> None:
    data = write_archive(forecast(leads=1), form=form)
    damaged = data[: len(data) // 2]
    response = client.post("/predict", params=QUERY, files=[("frames", ("/home/me/rv.tar", damaged, "application/x"))])
    assert "in rv.tar" in detail(response)
    assert "/home" not in response.text
