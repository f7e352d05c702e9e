"""A new format is one function and one row: it comes over HTTP with all that every format has."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest

from service.answers.field import Field
from service.answers.large import Content
from service.answers.schema import NowcastAnswer
from service.answers.writers import WRITERS, Writer
from service.http.own_headers import Own
from service.routes.query import written_content
from tests.service.conftest import END, Site, npy, rain, sequence

MAP = "https://maps.example"
MEDIA_TYPE = "text/x-esri-ascii-grid"


def to_ascii_grid(field: Field) -> Content:
    """Esri's ASCII grid, of the last frame."""
    rows, columns = field.frames.grid.shape
    head = f"ncols {columns}\nnrows {rows}\nNODATA_value -9999\n"
    text = io.StringIO()
    np.savetxt(text, np.nan_to_num(field.frames.rain_rate[-1], nan=-9999), fmt="%.4g")
    return [head.encode(), text.getvalue().encode()]


@pytest.fixture
def site(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> Site:
    row = Writer(MEDIA_TYPE, "asc", ("ascii", "asc"), write=to_ascii_grid, one_frame=True)
    monkeypatch.setitem(WRITERS, MEDIA_TYPE, row)
    made = make_site(run_lead_minutes=30, cors_origins=MAP)
    made.add(sequence(6, end=END))
    return made


def read(content: bytes) -> np.ndarray:
    return np.loadtxt(io.BytesIO(content), skiprows=3)


def test_one_row_is_a_format_of_every_route(site: Site) -> None:
    run = site.get("/nowcast").json()["run"]
    for path, name in (
        (f"/nowcast/{run}?lead_minutes=10", "010min"),
        (f"/nowcast/{run}/frames/10", "010min"),
        (f"/nowcast/{run}/probability/10", "010min-probability-1mmh"),
    ):
        by_accept = site.get(path, MEDIA_TYPE, Origin=MAP)
        assert by_accept.headers["content-type"].startswith(MEDIA_TYPE)
        file = f'attachment; filename="raincell-RY-20170816T0115Z-still-1-{name}.asc"'
        assert by_accept.headers["content-disposition"] == file
        values = np.load(io.BytesIO(site.get(path, "application/x-npy").content))[-1]
        if "frames" in path or "probability" in path:
            np.testing.assert_allclose(read(by_accept.content), np.nan_to_num(values, nan=-9999), rtol=1e-3)
        for form in ("ascii", "asc", MEDIA_TYPE):
            by_format = site.client.get(path, params={"format": form, **dict(_query(path))})
            assert by_format.content == by_accept.content
        head = site.client.request("HEAD", path, headers={"Accept": MEDIA_TYPE, "Origin": MAP})
        assert (head.status_code, head.content) == (200, b"")
        of_its_own = {"x-request-id", Own.AGE_SECONDS.lower()}  # the age grows with the seconds that a test takes
        same = [
            {name: text for name, text in each.headers.items() if name not in of_its_own} for each in (head, by_accept)
        ]
        assert same[0] == same[1]
        assert int(head.headers[Own.AGE_SECONDS]) >= int(by_accept.headers[Own.AGE_SECONDS])
        part = site.get(path, MEDIA_TYPE, Range="bytes=0-4")
        assert (part.status_code, part.content) == (206, b"ncols")
        known = site.get(path, MEDIA_TYPE, **{"If-None-Match": by_accept.headers["etag"]})
        assert known.status_code == 304


def _query(path: str) -> list[tuple[str, str]]:
    return [("lead_minutes", "10")] if "lead_minutes" in path else []


def test_pages_of_other_sites_read_its_headers(site: Site) -> None:
    answer = site.client.get("/nowcast?format=asc&lead_minutes=10", headers={"Origin": MAP})
    assert answer.headers["access-control-allow-origin"] == MAP
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {name for name in answer.headers if name.startswith("x-raincell-")} <= exposed
    assert {"content-disposition", "etag", "last-modified", "accept-ranges"} <= exposed & set(answer.headers)
    asked = {"Origin": MAP, "Access-Control-Request-Method": "HEAD", "Access-Control-Request-Headers": "Range"}
    assert site.client.request("OPTIONS", "/nowcast?format=asc", headers=asked).status_code == 200


def test_a_posted_sequence_is_forecast_in_it(site: Site) -> None:
    url = "/predict?lead_minutes=5&product=RY&valid_time=201708160115&format=asc"
    answer = site.client.post(url, content=npy(rain()), headers={"Content-Type": "application/x-npy"})
    assert read(answer.content).shape == rain().shape[1:]
    assert answer.headers["content-disposition"] == 'attachment; filename="raincell-RY-20170816T0115Z-still-1.asc"'


def test_errors_and_documents_name_it(site: Site) -> None:
    assert "tiff, tif, geotiff, ascii, asc" in site.client.get("/nowcast?format=grib").json()["expected"]
    assert MEDIA_TYPE in site.get("/nowcast", "text/html").json()["expected"]
    assert written_content(NowcastAnswer)[MEDIA_TYPE] == {"schema": {"type": "string", "format": "binary"}}


def test_no_two_rows_have_a_name_in_common() -> None:
    names = [name for writer in WRITERS.values() for name in (writer.media_type, *writer.names)]
    assert len(set(names)) == len(names)
