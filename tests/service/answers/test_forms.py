"""`format` in the query beside Accept, and the names of files."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from service.answers.formats import Form, choose_form, disposition
from service.answers.writers import WRITERS
from tests.service.conftest import Client, Site, npy, rain
from tests.service.routes.test_predict import NPY, check_problem

OFFERED = {name: form.media_type for form in WRITERS.values() for name in form.names}
SVG = Form("image/svg+xml", "svg", ("svg",), shown=True)
ROUTES = ["/nowcast", "/nowcast/{run}", "/nowcast/{run}/frames/0", "/nowcast/{run}/probability/5"]


@pytest.mark.parametrize("route", ROUTES)
def test_format_goes_before_accept_and_the_answer_is_the_same(site: Site, route: str) -> None:
    url = route.format(run=site.get("/nowcast").json()["run"])
    for name, media_type in [*OFFERED.items(), ("GeoTIFF", "image/tiff"), ("image/webp", "image/webp")]:
        by_accept = site.get(url, media_type)
        by_format = site.client.get(f"{url}?format={quote(name)}", headers={"Accept": "text/html"})
        assert by_format.status_code == 200
        assert by_format.headers["content-type"] == media_type
        assert by_format.content == by_accept.content
        assert by_format.headers["etag"].split("-")[0] == by_accept.headers["etag"].split("-")[0]
        assert by_format.headers["content-disposition"] == by_accept.headers["content-disposition"]
        assert "accept" in split(by_accept.headers["vary"])
        assert "accept" not in split(by_format.headers.get("vary", ""))
        known = {"If-None-Match": by_format.headers["etag"]}
        assert "accept" not in split(site.client.get(f"{url}?format={quote(name)}", headers=known).headers["vary"])


def split(vary: str) -> set[str]:
    return {name.strip().lower() for name in vary.split(",")}


def test_a_posted_sequence_is_forecast_in_every_format(client: Client) -> None:
    for name, media_type in OFFERED.items():
        url = f"/predict?lead_minutes=5&product=RY&valid_time=201708160115&format={name}"
        answer = client.post(url, content=npy(rain()), headers={**NPY, "Accept": "text/html"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert "raincell-RY-20170816T0115Z-still-1." in answer.headers["content-disposition"]


@pytest.mark.parametrize("name", ["grib", "", "svg", "json,png", "text/html", "application/json;q=1", "tiff.aux.xml"])
def test_another_format_is_refused_with_those_that_there_are(site: Site, name: str) -> None:
    for path in ("/nowcast", "/nowcast/none/frames/5", "/nowcast/none/probability/5"):
        answer = site.client.get(path, params={"format": name})
        assert check_problem(answer, 422, "json, npy, netcdf, nc, png, webp, tiff")["got"] == ascii(name)
    check_problem(site.client.post("/predict", params={"format": name}), 422, "json, npy, netcdf, nc, png, webp, tiff")


def test_without_a_format_accept_decides_as_before(site: Site) -> None:
    check_problem(site.get("/nowcast", "text/html"), 406, "format=")
    check_problem(site.client.get("/nowcast?format=png&format=npy"), 422, "once")
    assert site.client.get("/nowcast").headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("?format=nc", 'attachment; filename="raincell-RY-20170816T0115Z-still-1.nc"'),
        ("?format=npy", 'attachment; filename="raincell-RY-20170816T0115Z-still-1.npy"'),
        ("?format=json", 'inline; filename="raincell-RY-20170816T0115Z-still-1.json"'),
        ("?format=png&lead_minutes=10", 'inline; filename="raincell-RY-20170816T0115Z-still-1-010min.png"'),
        ("/frames/30?format=tif", 'attachment; filename="raincell-RY-20170816T0115Z-still-1-030min.tif"'),
        ("/frames/-5?format=webp", 'inline; filename="raincell-RY-20170816T0115Z-still-1-005min-ago.webp"'),
        (
            "/probability/5?threshold=0.1&format=nc",
            'attachment; filename="raincell-RY-20170816T0115Z-still-1-005min-probability-0.1mmh.nc"',
        ),
    ],
)
def test_files_are_named_by_what_they_hold(site: Site, path: str, name: str) -> None:
    run = site.get("/nowcast").json()["run"]
    assert site.client.get(f"/nowcast/{run}{path}").headers["content-disposition"] == name


@pytest.mark.parametrize("word", ['a"; filename="b', "../../etc", "a\r\nX: y", "ä/b\\c", "x" * 1000])
def test_no_word_breaks_out_of_a_name(word: str) -> None:
    told = disposition(WRITERS["image/png"], word, "still-1")["Content-Disposition"]
    assert re.fullmatch(r'inline; filename="raincell-[A-Za-z0-9._-]{1,150}\.png"', told)


def test_a_plus_that_a_query_makes_a_blank_of_is_still_of_the_media_type() -> None:
    assert choose_form("image/svg xml", None, {SVG.media_type: SVG}).form is SVG
