"""Names, listings, folders and web directories, before anything is read."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis.strategies import text

from radar.errors import InvalidRequest, UnreadableFile
from radar.files.limits import FOLLOWED
from service.feed.sources.backoff import BackOff
from service.feed.sources.cut_off import SLOWEST_BYTES_PER_SECOND, AnswerTimes
from service.feed.sources.folder import FolderSource
from service.feed.sources.http import HttpSource
from service.feed.sources.listing import read_index
from service.feed.sources.names import NAMINGS, Listed, dated_or_latest, listed, naming_of, one_of_each_time, why_not
from service.feed.sources.source import FileGone, SourceUnavailable
from tests.service.feed.feed_server import FeedServer, feed_server

TIME = datetime(2017, 8, 16, 1, 5, tzinfo=UTC)
MakeSource = Callable[..., HttpSource]
NAME = "raa01-ry_10000-1708160105-dwd---bin.bz2"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feed_server() as running:
        yield running


@pytest.fixture
def http_source() -> Iterator[MakeSource]:
    """Makes sources, closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(*arguments: Any, **options: Any) -> HttpSource:
            return stack.enter_context(contextlib.closing(HttpSource(*arguments, **options)))

        yield make


@pytest.mark.parametrize(
    ("product", "name"),
    [
        ("RY", "raa01-ry_10000-1708160105-dwd---bin.bz2"),
        ("RY", "raa01-ry_10000-1708160105-dwd---bin.gz"),
        ("RY", "raa01-ry_10000-1708160105-dwd---bin"),
        ("RY", "20170816_0105_RY.h5"),
        ("RY", "composite_ry_20170816_0105-hd5"),
        ("YW", "raa01-yw2017.002_10000-1708160105-dwd---bin.gz"),
        ("YW", "raa01-yw_10000-1708160105-dwd---bin.bz2"),
        ("RV", "composite_rv_20170816_0105.tar"),
        ("RV", "DE1200_RV1708160105.tar.bz2"),
    ],
)
def test_names_say_their_time(product: str, name: str) -> None:
    assert listed(naming_of(product), name, "v") == Listed(name, TIME, "v")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "raa01-rw_10000-1708160105-dwd---bin.bz2",
        "raa01-ry_10000-1713160105-dwd---bin.bz2",
        "x/raa01-ry_10000-1708160105-dwd---bin.bz2",
        "../raa01-ry_10000-1708160105-dwd---bin.bz2",
        "raa01-ry_10000-1708160105-dwd---bin.bz2\n",
        "raa01-ry_10000-1708160105-dwd---bin.exe",
        "raa01-ry../../x_10000-1708160105-dwd---bin",
    ],
)
def test_other_names_are_passed_by(name: str) -> None:
    assert listed(naming_of("RY"), name, "") is None


def test_a_product_that_cannot_be_followed_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="RV, RY, YW"):
        naming_of("RW")


def test_a_listing_gives_whole_names_and_what_stands_after_them() -> None:
    html = (
        '<a href="../">../</a>\n<a href="a%2Dname.tar">a-na..&gt;</a>   04-Jun-2025 16:33   12\n'
        '<a href="./b">b</a> 1<a href="/other/c">c</a><a href="http://elsewhere/d">d</a><a href="..\\e">e</a><a>f</a>'
    )
    assert read_index(html) == [("a-name.tar", "04-Jun-2025 16:33 12"), ("b", "1"), ("c", ""), ("d", "")]


@pytest.mark.parametrize(
    "link",
    [
        '<a href="{0}">x</a>',
        "<A HREF='./{0}'>x</A>",
        "<a href={0}>x</a>",
        '<a href="/weather/radar/{0}">x</a>',
        '<a href="https://mirror.example:8443/radar/{0}?raw=1#top">x</a>',
        '<a href="//mirror.example/{0}">x</a>',
        '<?xml version="1.0"?><ListBucketResult><Contents><Key>radar/rv/{0}</Key></Contents></ListBucketResult>',
    ],
)
def test_names_are_found_in_every_form_of_link(link: str) -> None:
    assert [name for name, _ in read_index(link.format(NAME))] == [NAME]


@pytest.mark.parametrize("link", ["old/{0}", "../{0}", "..\\{0}", "/radar/{0}/", "https://mirror.example/"])
def test_links_to_other_folders_are_no_files(link: str) -> None:
    assert read_index(f'<a href="{link.format(NAME)}">x</a>') == []


@pytest.mark.parametrize(
    ("product", "name", "time"),
    [
        ("RY", "raa01-ry_10000-2506041630-dwd---bin.hdf5", "2025-06-04T16:30"),
        ("RY", "RAA01-RY_10000-2506041630-DWD---BIN.BZ2", "2025-06-04T16:30"),
        ("RY", "raa01-ry_10000-2506041630-dwd---bin.h5", "2025-06-04T16:30"),
        ("RY", "composite_ry_20250604_1630-hd5", "2025-06-04T16:30"),
        ("YW", "raa01-yw_10000-2506041630-dwd---bin.hdf5", "2025-06-04T16:30"),
        ("YW", "raa01-yw2017.002_10000-1708160150-dwd---bin.gz", "2017-08-16T01:50"),
        ("RV", "composite_rv_20250923_0855.tar", "2025-09-23T08:55"),
        ("RV", "composite_RV_20250923_0855.tar.bz2", "2025-09-23T08:55"),
        ("RY", "raa01-ry_10000-latest-dwd---bin.hdf5", None),
        ("RV", "composite_rv_latest.tar", None),
    ],
)
def test_names_that_dwd_gives_are_known(product: str, name: str, time: str | None) -> None:
    found = listed(naming_of(product), name, "v")
    assert found == Listed(name, datetime.fromisoformat(f"{time}:00+00:00") if time else None, "v")


def test_of_one_time_in_several_forms_the_binary_is_taken_and_the_other_if_it_is_bad() -> None:
    naming = naming_of("RY")
    names = [f"raa01-ry_10000-25060416{minute}-dwd---bin{end}" for minute in ("30", "35") for end in (".hdf5", ".bz2")]
    files = dated_or_latest(naming, [file for name in names if (file := listed(naming, name, ""))])
    assert [file.name for file in one_of_each_time(files, set())] == [names[1], names[3]]
    assert [file.name for file in one_of_each_time(files, {names[3]})] == [names[1], names[2]]
    assert [file.name for file in one_of_each_time(files, set(names))] == [names[1], names[3]]


def test_what_is_left_out_is_kept_to_be_told(tmp_path: Path) -> None:
    for name in (NAME, "raa01-rw_10000-1708160150-dwd---bin.gz", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    source = FolderSource(tmp_path, "RY")
    assert [file.name for file in source.files()] == [NAME]
    assert (source.others.total, source.others.names) == (2, ("notes.txt", "raa01-rw_10000-1708160150-dwd---bin.gz"))
    assert "product RW by its name, the sum of an hour" in why_not(source.others.names[1])
    assert why_not("notes.txt") == "notes.txt: its name has no known product"


@given(text())
def test_whatever_is_listed_names_no_other_place(html: str) -> None:
    for name, _ in read_index(html) + read_index(f'<a href="{html}">'):
        assert "/" not in name
        for product in NAMINGS:
            found = listed(naming_of(product), name, "")
            assert found is None or re.fullmatch(r"[A-Za-z0-9_.-]+", found.name)


@pytest.mark.parametrize("style", ["nginx", "apache"])
def test_both_styles_of_index_tell_a_changed_file(style: str, http_source: MakeSource) -> None:
    with feed_server(style=style) as server:
        source = http_source(server.url, "RY")
        server.put(NAME, b"1")
        server.put("raa01-ry_10000-latest-dwd---bin.bz2", b"1")
        server.put("raa01-rw_10000-1708160150-dwd---bin.bz2", b"1")
        (first,) = source.files()
        assert (first.name, first.time) == (NAME, TIME)
        assert source.files() == [first]
        server.put(NAME, b"22")
        (second,) = source.files()
        assert second.version != first.version


def test_unchanged_files_are_not_sent_again(server: FeedServer, http_source: MakeSource) -> None:
    source = http_source(server.url, "RY")
    server.put(NAME, b"1")
    (file,) = source.files()
    fetched = source.fetch(file)
    assert fetched is not None
    assert fetched.data == b"1"
    assert source.fetch(file, fetched.tag) is None
    assert server.fetched(NAME) == [200, 304]
    server.put(NAME, b"2")
    again = source.fetch(file, fetched.tag)
    assert again is not None
    assert again.data == b"2"


def test_without_a_listing_the_newest_file_is_asked_for(server: FeedServer, http_source: MakeSource) -> None:
    source = http_source(server.url.removesuffix("/"), "RV")
    for status in (403, 404):
        server.faults[""] = [status]
        assert source.files() == [Listed("composite_rv_LATEST.tar", None, "")]


@pytest.mark.parametrize("fault", [500, 503, 301, 429, "truncated", "stalled", "slow"])
def test_a_server_that_fails_is_named_without_its_address(
    server: FeedServer, fault: int | str, http_source: MakeSource
) -> None:
    source = http_source(server.url, "RY", timeout=httpx.Timeout(2.0), times=AnswerTimes(2.0))
    server.put(NAME, b"x" * 1000)
    (file,) = source.files()
    server.faults[NAME] = [fault]
    with pytest.raises(SourceUnavailable) as caught:
        source.fetch(file)
    assert NAME in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    assert source.fetch(file) is not None


def test_retry_after_is_told(server: FeedServer, http_source: MakeSource) -> None:
    source = http_source(server.url, "RY")
    server.headers["Retry-After"] = "77"
    server.faults[""] = [503]
    with pytest.raises(SourceUnavailable) as caught:
        source.files()
    assert caught.value.retry_after_seconds == 77


def test_a_file_that_is_not_there_and_one_that_is_too_large(
    server: FeedServer, monkeypatch: Any, http_source: MakeSource
) -> None:
    monkeypatch.setattr("service.feed.sources.source.FOLLOWED", replace(FOLLOWED, frame_bytes=999))
    source = http_source(server.url, "RY")
    server.put(NAME, b"x" * 1000)
    (file,) = source.files()
    with pytest.raises(UnreadableFile, match="at most 999 bytes"):
        source.fetch(file)
    server.files.clear()
    with pytest.raises(FileGone):
        source.fetch(file)


def test_nobody_there_is_unavailable(http_source: MakeSource) -> None:
    with feed_server() as server:
        url = server.url
    with pytest.raises(SourceUnavailable, match="ConnectError"):
        http_source(url, "RY").files()


@pytest.mark.parametrize("url", ["ftp://host/x/", "http:///x", "file:///etc/", "http://host/?x=1", "http://[::1/"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="--source"):
        HttpSource(url, "RY")


def test_a_folder_lists_plain_files_of_the_product(tmp_path: Path) -> None:
    source = FolderSource(tmp_path, "RY")
    assert source.files() == []
    (tmp_path / NAME).write_bytes(b"1")
    (tmp_path / "raa01-ry_10000-1708160100-dwd---bin").symlink_to("/etc/passwd")
    (tmp_path / "raa01-ry_10000-1708160110-dwd---bin").mkdir()
    (tmp_path / "notes.txt").write_bytes(b"")
    (file,) = source.files()
    assert (file.name, file.time) == (NAME, TIME)
    fetched = source.fetch(file)
    assert fetched is not None
    assert fetched.data == b"1"
    assert source.fetch(file, fetched.tag) is None
    (tmp_path / NAME).write_bytes(b"22")
    assert source.files() != [file]
    (tmp_path / NAME).unlink()
    with pytest.raises(FileGone):
        source.fetch(file)


def test_a_link_that_took_a_files_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"1")
    source = FolderSource(tmp_path, "RY")
    (file,) = source.files()
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).symlink_to("/etc/passwd")
    with pytest.raises(SourceUnavailable):
        source.fetch(file)


def test_a_missing_folder_is_unavailable_and_its_path_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        FolderSource(tmp_path / "none", "RY").files()
    assert str(tmp_path) not in str(caught.value)


def test_waits_double_up_to_a_bound_and_are_spread() -> None:
    most = BackOff(30, 300, draw=lambda: 1.0)
    assert [most.failed() for _ in range(5)] == [60, 120, 240, 300, 300]
    assert most.succeeded() == 30
    assert most.failed() == 60
    assert most.failed(retry_after_seconds=200) == 200
    assert most.failed(retry_after_seconds=10**9) == 300
    least = BackOff(30, 300, draw=lambda: 0.0)
    assert [least.failed() for _ in range(4)] == [30, 60, 120, 150]
    assert [least.failed() for _ in range(2000)][-1] == 150


@pytest.mark.parametrize(
    ("times", "told"),
    [(AnswerTimes(0.3, 60), "0.3 seconds later"), (AnswerTimes(60, 0.6), "0.6 in all")],
    ids=["slow", "steady"],
)
def test_a_body_has_a_least_pace_and_an_end(
    server: FeedServer, http_source: MakeSource, times: AnswerTimes, told: str
) -> None:
    """Of a byte every 20 ms, which keeps within the time-outs of each piece."""
    server.put(NAME, b"x" * 1000)
    server.faults[NAME] = ["slow"]
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match=told):
        http_source(server.url, "RY", times=times).fetch(Listed(NAME, TIME, ""))
    assert time.monotonic() - began < 3


def test_a_body_that_keeps_the_pace_may_take_longer(http_source: MakeSource) -> None:
    size = round(0.3 * SLOWEST_BYTES_PER_SECOND)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as caller:
                caller.recv(9999)
                caller.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {5 * size}\r\n\r\n".encode())
                for _ in range(5):
                    time.sleep(0.15)
                    caller.sendall(bytes(size))

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        fetched = http_source(url, "RY", times=AnswerTimes(0.3)).fetch(Listed(NAME, TIME, ""))
    assert fetched is not None
    assert len(fetched.data) == 5 * size


@pytest.mark.parametrize("piece", [b"a", b"HTTP/1.1 103 Early Hints\r\n\r\n"], ids=["byte", "103"])
def test_a_head_that_drips_is_cut_off_and_the_next_answer_comes(
    server: FeedServer, http_source: MakeSource, piece: bytes
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as caller:
            caller.recv(9999)
            caller.sendall(b"HTTP/1.1 200 OK\r\nX: " if piece == b"a" else b"")
            while True:
                caller.sendall(piece)
                time.sleep(0.05)

    dripping = threading.Thread(target=drip, daemon=True)
    dripping.start()
    with listener:
        source = http_source(f"http://127.0.0.1:{listener.getsockname()[1]}/", "RY", times=AnswerTimes(0.5))
        began = time.monotonic()
        with pytest.raises(SourceUnavailable, match=r"the listing at 10 kB/s or faster, 0\.5 seconds later"):
            source.files()
        assert time.monotonic() - began < 5
    dripping.join(10)
    assert not dripping.is_alive(), "the connection is shut"
    server.put(NAME, b"x")
    assert http_source(server.url, "RY", times=AnswerTimes(5.0)).files()
