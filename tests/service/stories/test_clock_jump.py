"""A machine whose clock jumps, under the real server process and a real Redis."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from radar.sequence import iso
from radar.system.durable import write_text
from tests.service.conftest import RedisServer, ServiceProcess, npy, rain, wait_until

NPY = {"Content-Type": "application/x-npy"}
pytestmark = pytest.mark.slow


def post(url: str, end: datetime, frames: int) -> httpx.Response:
    about = {"valid_time": iso(end), "product": "RY", "force": "true"}
    return httpx.post(f"{url}/frames", params=about, content=npy(rain(frames)), headers=NPY, timeout=60)


def times(url: str) -> list[str]:
    return list(httpx.get(f"{url}/frames", timeout=60).json()["series"][0]["times"])


def latest(url: str) -> httpx.Response:
    return httpx.get(f"{url}/nowcast", timeout=60)


def seconds_kept(answer: httpx.Response) -> int:
    """For how long a cache may keep an answer."""
    return int(answer.headers["cache-control"].removeprefix("max-age="))


def set_clock(offset: Path, seconds: int) -> None:
    """The server reads this file whenever it looks at its clock, so it may never see a part of it."""
    write_text(offset, str(seconds))


def check_reads(url: str, run: str) -> None:
    """All that can be read is read: the run that there was, and forecasts from the frames that there are."""
    answer = latest(url)
    assert answer.status_code == 200, answer.text
    assert answer.json()["run"] == run
    assert 0 < seconds_kept(answer) <= 300, "whatever the clock says, the next run is never long in coming"
    assert httpx.post(f"{url}/predict?product=RY&lead_minutes=5&encoding=none", timeout=60).status_code == 200
    for path in ("/nowcast", "/readyz", "/metrics", "/models"):
        assert httpx.get(f"{url}{path}", timeout=60).status_code == 200, path


def test_a_clock_that_jumps_loses_nothing(
    make_service_process: Callable[..., ServiceProcess], redis_server: RedisServer, tmp_path: Path
) -> None:
    offset = tmp_path / "offset"
    set_clock(offset, 0)
    program = [str(Path(__file__).with_name("shifted_clock.py")), str(offset), "run"]
    server = make_service_process(program, RAINCELL_REDIS_URL=redis_server.url)
    now = datetime.now(UTC)
    end = now - timedelta(minutes=now.minute % 5, seconds=now.second, microseconds=now.microsecond)
    assert post(server.url, end, 5).status_code == 201
    wait_until(lambda: latest(server.url).status_code == 200, "a run")
    run = latest(server.url).json()["run"]
    check_reads(server.url, run)

    set_clock(offset, 2 * 86400)  # two days ahead: nothing is thrown away for its age
    check_reads(server.url, run)
    assert int(latest(server.url).headers["x-raincell-age-seconds"]) > 1.9 * 86400

    set_clock(offset, -2 * 86400)  # two days back: what is true seems to come from the future, and is told so
    check_reads(server.url, run)
    refused = post(server.url, end + timedelta(minutes=5), 1)
    assert refused.status_code == 422
    assert "check the clock" in refused.json()["remedy"]
    assert len(times(server.url)) == 5

    set_clock(offset, 0)
    assert post(server.url, end + timedelta(minutes=5), 1).status_code == 201
    wait_until(lambda: latest(server.url).json()["run"] != run, "the next run")
    check_reads(server.url, latest(server.url).json()["run"])
    assert len(times(server.url)) == 6
