"""Ranges of bytes: which are meant, and what comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from unittest.mock import Mock

import pytest

from service.answers.geotiff import to_geotiff
from service.answers.writers import WRITERS
from service.errors import RangeNotSatisfiable
from service.http.ranges import Bytes, find_range, still_the_same
from tests.service.conftest import END, Client, Site
from tests.service.routes.test_predict import check_problem

SIZE = 1000
TAG, DATE = '"abc"', "Wed, 16 Aug 2017 01:15:00 GMT"
BARE = {"Accept-Encoding": "identity"}


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-499", 0, 500),
        ("bytes=500-", 500, 1000),
        ("bytes=-300", 700, 1000),
        ("bytes=-5000", 0, 1000),
        ("bytes=990-99999999999", 990, 1000),
        ("Bytes=0-9", 0, 10),
        ("bytes= 0-9 ,", 0, 10),
        ("bytes=0-9, 10-19", 0, 20),
        ("bytes=5-19,0-9", 0, 20),
        ("bytes=0-9,5000-", 0, 10),
        ("bytes=0-99,20-30", 0, 100),
    ],
)
def test_one_part_is_found(header: str, start: int, stop: int) -> None:
    assert find_range(header, SIZE) == Bytes(start, stop)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=9-0",
        "bytes=0-9,9-0",
        "bytes=1.0-2",
        "bytes=+1-2",
        "bytes=٠-٩",
        "bytes=0x0-9",
        "bytes=" + "9" * 5000 + "-",
        "frames=0-9",
        "bytes=0-9,20-29",
        "bytes=" + ",".join(["0-1"] * 101),
    ],
)
def test_everything_is_sent_for_what_is_no_single_part(header: str | None) -> None:
    assert find_range(header, SIZE) is None


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=5000-,-0"])
def test_what_begins_behind_the_end_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        find_range(header, SIZE)
    assert refused.value.headers["Content-Range"] == "bytes */1000"


@pytest.mark.parametrize(
    ("if_range", "seconds", "same"),
    [
        (None, 60, True),
        ('"abc"', 60, True),
        ('"abd"', 60, False),
        ('W/"abc"', 60, False),
        ("abc", 60, False),
        ("*", 60, False),
        ("", 60, False),
        (DATE, 60, True),
        (DATE, 0, False),
        ("Wed, 16 Aug 2017 01:14:59 GMT", 60, False),
        ("Wed, 16 Aug 2017 01:15:01 GMT", 60, False),
        ("Wed, 99 Aug 2017 01:15:00 GMT", 60, False),
    ],
)
def test_a_part_is_only_for_who_has_the_rest_of_the_same(if_range: str | None, seconds: int, same: bool) -> None:
    assert still_the_same(if_range, TAG, END, END + timedelta(seconds=seconds)) is same


@pytest.mark.parametrize("form", ["tiff", "nc", "npy", "png", "json"])
def test_the_parts_of_every_form_make_the_whole(site: Site, form: str) -> None:
    run = site.get("/nowcast").json()["run"]
    url = f"/nowcast/{run}/frames/10?format={form}"
    whole = site.client.get(url, headers=BARE)
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    parts, size = [], len(whole.content)
    for start in range(0, size, size // 7):
        asked = {"Range": f"bytes={start}-{start + size // 7 - 1}", "If-Range": whole.headers["etag"]}
        # Although the caller takes codings: a part is of the bytes as they are.
        part = site.client.get(url, headers={**asked, "Accept-Encoding": "zstd, gzip"})
        assert part.status_code == 206
        assert part.headers["content-range"] == f"bytes {start}-{start + len(part.content) - 1}/{size}"
        assert int(part.headers["content-length"]) == len(part.content)
        assert "content-encoding" not in part.headers
        same = ("etag", "last-modified", "content-type", "content-disposition", "cache-control", "x-raincell-run")
        assert all(part.headers[name] == whole.headers[name] for name in same)
        parts.append(part.content)
    assert b"".join(parts) == whole.content


def test_the_base64_of_json_is_cut_anywhere(site: Site) -> None:
    whole = site.client.get("/nowcast?format=json", headers=BARE).json()
    url = whole["forecast"][0]["url"]
    content = site.client.get(url, headers=BARE).content
    for start in range(len(content) - 40, len(content) - 24):
        for stop in range(start + 1, start + 6):
            part = site.client.get(url, headers={**BARE, "Range": f"bytes={start}-{stop - 1}"})
            assert part.content == content[start:stop]


def test_what_has_changed_comes_whole_and_what_is_known_not_at_all(site: Site) -> None:
    url, asked = "/nowcast?format=npy", {**BARE, "Range": "bytes=0-9"}
    whole = site.client.get(url, headers=BARE)
    tag = whole.headers["etag"]
    for other in ('"other"', f"W/{tag}", f'{tag[:-1]}-zstd"'):
        answer = site.client.get(url, headers={**asked, "If-Range": other})
        assert (answer.status_code, answer.content) == (200, whole.content)
    assert site.client.get(url, headers={**asked, "If-None-Match": tag}).status_code == 304
    assert site.client.get(url, headers={**BARE, "Range": "bytes=0-1,90-99"}).content == whole.content


def test_bytes_that_are_not_there_are_416(site: Site) -> None:
    size = len(site.client.get("/nowcast?format=npy", headers=BARE).content)
    answer = site.client.get("/nowcast?format=npy", headers={"Range": f"bytes={size}-"})
    check_problem(answer, 416, f"bytes from 0 to {size - 1}")
    assert (answer.headers["content-range"], answer.headers["accept-ranges"]) == (f"bytes */{size}", "bytes")


def test_a_file_is_written_once_for_all_its_parts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Mock(wraps=to_geotiff)
    monkeypatch.setitem(WRITERS, "image/tiff", replace(WRITERS["image/tiff"], write=write))
    for start in range(0, 500, 100):
        assert site.client.get("/nowcast?format=tiff", headers={"Range": f"bytes={start}-{start + 99}"}).is_success
    assert write.call_count == 1


def test_what_is_computed_for_one_caller_has_no_parts(site: Site) -> None:
    answer = site.client.post("/predict?product=RY&format=npy", headers={**BARE, "Range": "bytes=0-9"})
    assert answer.status_code == 200
    assert "accept-ranges" not in answer.headers


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=9-0", 200),
        ("bytes=a-b", 200),
        ("bytes=", 200),
        ("frames=0-9", 200),
        ("bytes=0-9,20-29", 200),
        ("bytes=0-9", 206),
        ("bytes=5-9,0-4", 206),
        ("bytes=99999999-", 416),
    ],
)
def test_the_files_of_the_documentation_have_parts_as_runs_have(client: Client, asked: str, status: int) -> None:
    url = "/static-offline-docs/swagger-ui.css"
    whole = client.get(url, headers=BARE)
    answer = client.get(url, headers={**BARE, "Range": asked})
    assert answer.status_code == status
    if status == 416:
        check_problem(answer, 416)
    else:
        assert answer.content == (whole.content if status == 200 else whole.content[:10])
    head = client.request("HEAD", url, headers={**BARE, "Range": asked})
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(whole.content)))
    changed = client.get(url, headers={**BARE, "Range": asked, "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, whole.content)
