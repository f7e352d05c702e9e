"""The feed in front of a service without Redis, over HTTP."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from radar.archive.archive import Archive
from radar.errors import InvalidRequest, StoreUnavailable
from service.feed.follower import Follower
from service.feed.intake import Intake
from service.feed.remote import ServiceHistory
from service.feed.sources.cut_off import AnswerTimes
from service.feed.sources.folder import FolderSource
from service.history.quarantine import MemoryQuarantine
from tests.service.conftest import ServiceProcess, free_port, npy, rain, sequence, service_program
from tests.service.feed.feed_server import rv_file, rv_name, ry_file, ry_name

START = datetime(2017, 8, 16, 1, 0, tzinfo=UTC)
STEP = timedelta(minutes=5)
SIX_HOURS = timedelta(hours=6)
NO_RUNS = {"RAINCELL_RUNS": "false"}
"""Of frames as large as a country they take longer than all the rest, and nobody asks for them here."""
MakeHistory = Callable[..., ServiceHistory]


@pytest.fixture
def history_of() -> Iterator[MakeHistory]:
    """Makes histories behind services."""
    with ExitStack() as stack:

        def make(url: str, product: str = "RY", *, force: bool = False) -> ServiceHistory:
            return stack.enter_context(closing(ServiceHistory(url, product, SIX_HOURS, force=force)))

        yield make


@pytest.fixture(scope="module")
def service(repository: Path) -> Iterator[ServiceProcess]:
    """For tests that look for their own frames alone."""
    started = ServiceProcess({"RAINCELL_MODEL_REPOSITORY": str(repository), **NO_RUNS})
    try:
        started.wait_ready()
        yield started
    finally:
        started.stop()


def follower(folder: Path, history: ServiceHistory, product: str = "RY", archive: Path | None = None) -> Follower:
    def clock() -> datetime:
        return START + timedelta(hours=1)

    kept = Archive(archive) if archive else None
    intake = Intake(product, history, MemoryQuarantine(), clock=clock, archive=kept)
    return Follower(FolderSource(folder, product), intake, clock)


def flood(rain: np.ndarray) -> None:
    rain[300:800] = 1.2


def listed(service: ServiceProcess, what: str = "series") -> list[dict[str, object]]:
    found: list[dict[str, object]] = httpx.get(f"{service.url}/frames", timeout=30).json()[what]
    return found


def test_frames_go_to_the_service_which_has_the_last_word(
    service_process: Callable[..., ServiceProcess], history_of: MakeHistory, tmp_path: Path
) -> None:
    service = service_process(**NO_RUNS)
    folder = tmp_path / "feed"
    folder.mkdir()
    feed = follower(folder, history_of(service.url), archive=tmp_path / "archive")
    for number in range(3):
        time = START + number * STEP
        (folder / ry_name(time)).write_bytes(ry_file(time, number, change=flood if number == 1 else None))
    look = feed.look()
    assert (look.taken, look.quarantined) == (2, 1)
    assert feed.quarantined.by_reason == {"wet_area": 1}
    good = [START, START + 2 * STEP]
    assert [entry["times"] for entry in listed(service)] == [[f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in good]]
    assert [entry["reason"] for entry in listed(service, "quarantined")] == ["wet_area"]
    assert Archive(tmp_path / "archive").times("RY", "radolan") == good
    assert feed.look().taken == 0
    # A service without Redis that was started anew is filled again.
    other = service_process(**NO_RUNS)
    feed.intake.history._url = f"{other.url}/"  # type: ignore[attr-defined]
    assert feed.look().taken == 2
    query = {"product": "MINE", "valid_time": "2017-08-16T01:10:00Z"}
    mine: dict[str, Any] = {"params": query, "content": npy(rain(1)), "headers": {"Content-Type": "application/x-npy"}}
    assert httpx.post(f"{other.url}/frames", timeout=30, **mine).status_code == 201
    answer = httpx.post(f"{other.url}/predict?lead_minutes=5&encoding=none", timeout=30)
    assert answer.json()["product"] == "RY"  # what others send breaks no client of the feed's
    forced = follower(folder, history_of(other.url, force=True))
    assert forced.look().taken == 1
    assert listed(other, "quarantined") == []


def test_of_rv_lead_0_goes_to_the_service(service: ServiceProcess, history_of: MakeHistory, tmp_path: Path) -> None:
    (tmp_path / rv_name(START)).write_bytes(rv_file(START))
    assert follower(tmp_path, history_of(service.url, "RV"), "RV").look().taken == 1
    (series,) = [series for series in listed(service) if series["product"] != "RY"]
    assert (series["product"], series["grid"], series["times"]) == ("RV", "de1200", ["2017-08-16T01:00:00Z"])


def test_a_service_that_is_not_there_or_does_not_answer_so(service: ServiceProcess, history_of: MakeHistory) -> None:
    with pytest.raises(StoreUnavailable, match="status 404"):
        history_of(f"{service.url}/elsewhere").products()
    port = free_port()
    history = history_of(f"http://127.0.0.1:{port}")
    with pytest.raises(StoreUnavailable, match="ConnectError") as caught:
        history.products()
    assert str(port) not in str(caught.value)
    with pytest.raises(StoreUnavailable):
        history.append(sequence(1))
    with pytest.raises(InvalidRequest, match="--service"):
        history_of("redis://host/")


@pytest.mark.parametrize("piece", [b"a", b"HTTP/1.1 103 Early Hints\r\n\r\n", bytes(2**20)], ids=["byte", "103", "all"])
def test_an_answer_of_the_service_without_end_is_cut_off(piece: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as caller:
                caller.recv(9999)
                caller.sendall(b"" if piece.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    caller.sendall(piece)
                    time.sleep(0.01)

        threading.Thread(target=drip, daemon=True).start()
        times = AnswerTimes(0.5) if len(piece) < 100 else AnswerTimes()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        with closing(ServiceHistory(url, "RY", SIX_HOURS, times=times)) as history, pytest.raises(StoreUnavailable):
            history.products()
        assert time.monotonic() - began < 3


def test_the_command_sends_to_a_service(service: ServiceProcess, tmp_path: Path) -> None:
    (tmp_path / ry_name(START)).write_bytes(ry_file(START))
    command = ["ingest", "--source", str(tmp_path), "--product", "RY", "--once", "--service", service.url]
    with service_program(command, os.environ, stderr=subprocess.PIPE) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert [series["product"] for series in listed(service) if series["product"] != "RV"] == ["RY"]
