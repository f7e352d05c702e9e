"""The feed as its operator runs it: killed, restarted, and in front of a service that forecasts from it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from radar.archive.archive import Archive
from radar.files.open import open_sequence
from radar.sequence import iso
from service.__main__ import main
from service.history.codec import SeriesKey
from service.history.redis.references import RedisReferences
from service.history.redis.store import RedisHistory
from service.monitoring import log
from service.redis.client import connect
from tests.service.conftest import RedisServer, ServiceProcess, service_program, wait_until
from tests.service.feed.feed_server import FeedServer, feed_server, ry_file, ry_name, shower

START = datetime(2017, 8, 16, 1, 0, tzinfo=UTC)
STEP = timedelta(minutes=5)
START_FEED = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feed_server() as running:
        yield running


@pytest.fixture
def start_feed() -> Iterator[START_FEED]:
    """Starts `python -m service ingest` with these arguments and no settings of the environment."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: object) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RAINCELL_")}
        command = ["ingest", *map(str, arguments)]
        started.append(service_program(command, kept, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def finished(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Exit status and what it said."""
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors.decode()


def put_frames(server: FeedServer, count: int) -> list[datetime]:
    times = [START + number * STEP for number in range(count)]
    for number, time_ in enumerate(times):
        server.put(ry_name(time_), ry_file(time_, number))
    return times


@pytest.mark.slow
def test_a_feed_that_is_killed_again_and_again_loses_nothing_and_takes_nothing_twice(
    server: FeedServer, redis_server: RedisServer, start_feed: START_FEED, tmp_path: Path
) -> None:
    times = put_frames(server, 24)
    server.delay = 0.05
    arguments = ("--source", server.url, "--product", "RY", "--redis-url", redis_server.url, "--archive", tmp_path)
    history = RedisHistory(connect(redis_server.url), timedelta(hours=6))
    for kills in range(1, 4):
        process = start_feed(*arguments, "--interval", "0.2")
        # Killed at another place of the work each time: after so many requests, and a little later.
        wanted = len(server.requests) + 2 + kills
        wait_until(lambda wanted=wanted: len(server.requests) >= wanted, "requests")  # type: ignore[misc]
        time.sleep(0.03 * kills)
        process.kill()
        process.wait()
        # One frame at most is in the one and not yet in the other.
        assert len(set(history.times("RY", "radolan")) ^ set(archived(tmp_path))) <= kills
    assert len(history.times("RY", "radolan")) < len(times)
    status, errors = finished(start_feed(*arguments, "--once"))
    assert status == 0, errors
    assert history.times("RY", "radolan") == times
    assert archived(tmp_path) == times
    manifest = Archive(tmp_path).manifest()
    assert sum(series["corrections"] for series in manifest["series"]) == 0
    for number, frame in enumerate(history.latest("RY", "radolan", len(times)).rain_rate):
        np.testing.assert_array_equal(frame, shower(frame.shape, number))
    fetched = [name for name, status in server.requests if name and status == 200]
    assert len(fetched) <= len(times) + 3  # one at most was under way at each kill


def archived(root: Path) -> list[datetime]:
    archive = Archive(root)
    return archive.times("RY", "radolan") if archive.products() else []


def test_it_follows_until_it_is_told_to_stop(redis_server: RedisServer, start_feed: START_FEED, tmp_path: Path) -> None:
    process = start_feed("--source", tmp_path, "--product", "RY", "--redis-url", redis_server.url, "--interval", "0.1")
    history = RedisHistory(connect(redis_server.url), timedelta(hours=6))
    for number in range(2):
        moment = START + number * STEP
        (tmp_path / ry_name(moment)).write_bytes(ry_file(moment, number))
        wait_until(lambda moment=moment: moment in history.times("RY", "radolan"), "the frame")  # type: ignore[misc]
    process.send_signal(signal.SIGTERM)
    status, errors = finished(process)
    assert status == 0
    assert errors.count(" took RY of ") >= 2
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("how", [["--interval", "0.1"], ["--once"]], ids=["follows", "once"])
def test_a_source_that_drips_does_not_keep_it(
    number: signal.Signals, how: list[str], server: FeedServer, redis_server: RedisServer, start_feed: START_FEED
) -> None:
    server.put(ry_name(START), bytes(10_000))
    server.faults[ry_name(START)] = ["slow"]
    process = start_feed("--source", server.url, "--product", "RY", "--redis-url", redis_server.url, *how)
    wait_until(lambda: bool(server.fetched(ry_name(START))), "the request for the file")
    began = time.monotonic()
    process.send_signal(number)
    status, errors = finished(process)
    assert time.monotonic() - began < 5
    assert status == (0 if how != ["--once"] else 128 + number)
    name = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C"}[number]
    assert f"({name})" in errors.splitlines()[-1]
    assert "Traceback" not in errors


def test_one_look_says_that_a_file_was_bad(redis_server: RedisServer, start_feed: START_FEED, tmp_path: Path) -> None:
    (tmp_path / ry_name(START)).write_bytes(b"nonsense")
    bad = tmp_path / "bad"
    status, errors = finished(
        start_feed(
            *("--source", tmp_path, "--product", "RY", "--redis-url", redis_server.url),
            *("--once", "--quarantine", bad),
        )
    )
    assert status == 3
    assert f"quarantined {ry_name(START)}" in errors
    assert (bad / ry_name(START)).read_bytes() == b"nonsense"


def test_what_it_needs_is_said(start_feed: START_FEED) -> None:
    status, errors = finished(start_feed("--source", ".", "--product", "RY"))
    assert status == 1
    assert errors.count("\n") == 1
    assert "RAINCELL_REDIS_URL" in errors


@pytest.mark.parametrize(
    ("source", "product", "said"), [(".", "RW", "RV, RY, YW"), ("ftp://x/", "RY", "correct --source")]
)
def test_what_it_cannot_follow_is_said(
    source: str, product: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("RAINCELL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(log, "set_up", lambda *_: None)  # the log of this process stays as it is
    redis = ("--redis-url", "redis://127.0.0.1:1/0")
    assert main(["ingest", "--source", source, "--product", product, *redis]) == 1
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert said in errors


def test_without_redis_it_goes_on_trying(server: FeedServer, redis_server: RedisServer, start_feed: START_FEED) -> None:
    redis_server.kill()
    (time_,) = put_frames(server, 1)
    process = start_feed(
        "--source", server.url, "--product", "RY", "--redis-url", redis_server.url, "--interval", "0.1"
    )
    wait_until(lambda: len(server.requests) >= 2, "two looks")
    redis_server.start()
    history = RedisHistory(connect(redis_server.url), timedelta(hours=6))
    wait_until(lambda: time_ in history.times("RY", "radolan"), "the frame")
    assert process.poll() is None


def test_importing_the_feed_imports_neither_torch_nor_the_models_runtime() -> None:
    unwanted = "{'torch', 'onnxruntime', 'training', 'onnx'}"
    code = f"import sys, service.feed.command; print(sorted({unwanted} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("over_http", [pytest.param(False, marks=pytest.mark.slow), True])
def test_an_hour_of_real_frames_through_feed_redis_and_service(
    real_data: Path,
    over_http: bool,
    server: FeedServer,
    redis_server: RedisServer,
    start_feed: START_FEED,
    service_process: Callable[..., ServiceProcess],
    tmp_path: Path,
) -> None:
    """Some frames come late and one is corrupt at first; the service forecasts from what came."""
    files = sorted((real_data / "dwd" / "yw_20170816").iterdir())
    folder = tmp_path / "feed"
    folder.mkdir()
    service = service_process(RAINCELL_REDIS_URL=redis_server.url, RAINCELL_RUNS="false")  # none is asked for

    def arrive(path: Path, data: bytes | None = None) -> None:
        data = path.read_bytes() if data is None else data
        if over_http:
            server.put(path.name, data)
        else:
            (folder / "writing").write_bytes(data)
            (folder / "writing").replace(folder / path.name)

    start_feed(
        *("--source", server.url if over_http else folder, "--product", "YW", "--redis-url", redis_server.url),
        *("--archive", tmp_path / "archive", "--interval", "0.1"),
    )
    order = [0, 1, 2, 3, 5, 6, 4, 7, 8, 10, 9, 11]
    arrive(files[order[0]], files[order[0]].read_bytes()[:30000])
    wait_until(lambda: bool(quarantined(service)), "the corrupt file to be seen")
    for index in order:
        arrive(files[index])
    wait_until(lambda: len(stored(service)) == 12, "twelve frames")
    expected = open_sequence(files)
    assert stored(service) == [f"{time_:%Y-%m-%dT%H:%M:%SZ}" for time_ in expected.valid_times]
    answer = httpx.post(f"{service.url}/predict?product=YW&encoding=none", timeout=120)
    assert answer.status_code == 200, answer.text
    nowcast = answer.json()
    assert nowcast["history_times"] == stored(service)[-5:]
    assert nowcast["degraded"].startswith("stale: the forecast from the newest stored frame ends at 2017-08-16T")
    assert ";" not in nowcast["degraded"]  # it lies years back, and nothing else is wrong with it
    assert nowcast["attribution"] == "Data basis: Deutscher Wetterdienst"
    archive = Archive(tmp_path / "archive")
    kept = archive.read("YW", "radklim", expected.valid_times[0], expected.valid_times[-1])
    np.testing.assert_array_equal(kept.rain_rate, expected.rain_rate)
    assert sum(series["corrections"] for series in archive.manifest()["series"]) == 0
    assert quarantined(service) == []


def stored(service: ServiceProcess) -> list[str]:
    series = httpx.get(f"{service.url}/frames", timeout=30).json()["series"]
    return [time_ for entry in series for time_ in entry["times"]]


def quarantined(service: ServiceProcess) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = httpx.get(f"{service.url}/frames", timeout=30).json()["quarantined"]
    return listed


def test_rv_as_dwd_publishes_it_becomes_frames_leads_and_an_answer(
    real_data: Path,
    server: FeedServer,
    redis_server: RedisServer,
    start_feed: START_FEED,
    service_process: Callable[..., ServiceProcess],
) -> None:
    path = real_data / "dwd" / "composite_rv_20250923_0855.tar"
    made = datetime(2025, 9, 23, 8, 55, tzinfo=UTC)
    server.put(path.name, path.read_bytes())
    server.put("composite_rv_LATEST.tar", path.read_bytes())
    url = redis_server.url
    status, errors = finished(start_feed("--source", server.url, "--product", "RV", "--redis-url", url, "--once"))
    assert status == 0, errors
    assert f"took RV of {iso(made)} from {path.name}" in errors
    assert RedisHistory(connect(url), timedelta(hours=6)).times("RV", "de1200") == [made]
    leads = RedisReferences(connect(url)).get(SeriesKey("RV", "de1200"), made)
    assert leads is not None
    assert leads.lead_minutes == (50,)  # the archive has two of DWD's 25 members
    service = service_process(RAINCELL_REDIS_URL=url, RAINCELL_RUN_LEAD_MINUTES="15")
    wait_until(lambda: httpx.get(f"{service.url}/nowcast", timeout=60).status_code == 200, "the run")
    place = httpx.get(f"{service.url}/nowcast/point?lat=52.5&lon=13.4", timeout=60).json()
    assert (place["product"], place["grid"], place["reference_time"]) == ("RV", "de1200", iso(made))
    assert place["coverage"] == "ok"
    assert place["attribution"] == "Data basis: Deutscher Wetterdienst"


def test_what_it_counts_is_served(server: FeedServer, redis_server: RedisServer, start_feed: START_FEED) -> None:
    (moment,) = put_frames(server, 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ("--product", "RY", "--redis-url", redis_server.url, "--interval", "0.2", "--quiet-minutes", "0.01")
    start_feed("--source", server.url, *arguments, "--metrics-port", port)

    def metrics() -> str:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/metrics").text
        except httpx.HTTPError:
            return ""

    wait_until(lambda: "raincell_feed_quiet 1.0" in metrics(), "the quiet")
    assert "raincell_feed_taken_files_total 1.0" in metrics()
    newest = re.search(r"^raincell_feed_newest_frame_timestamp_seconds (\S+)$", metrics(), re.MULTILINE)
    assert newest is not None
    assert float(newest[1]) == moment.timestamp()
