"""README.md and docs/start as a newcomer follows them, on a clone of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PORT = "8000"


START = "docs/start/first-forecast.md"
FRAMES = "docs/start/own-frames.md"


def commands(page: str) -> list[str]:
    """All indented commands of a page, continued lines joined."""
    text = (ROOT / page).read_text().replace("\\\n", "")
    return [line.strip() for line in re.findall(r"^    (.+)$", text, re.MULTILINE)]


def command(page: str, beginning: str, containing: str = "") -> str:
    """The one command of a page that begins so; it must be there as the tests run it."""
    (found,) = (line for line in commands(page) if line.startswith(beginning) and containing in line)
    return found


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed files alone, as a user gets them."""
    folder = tmp_path_factory.mktemp("newcomer") / "raincell"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def serving(clone: Path, port: int) -> Iterator[Path]:
    """The clone, with `make serve` running."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAINCELL_")}
    environment |= {"RAINCELL_PORT": str(port), "PYTHON": sys.executable}
    serve = command("README.md", "make serve").split()
    # Its own session, so that make and the service end together.
    with subprocess.Popen(serve, cwd=clone, env=environment, start_new_session=True) as process:
        try:
            wait_until_ready(port, process)
            yield clone
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        assert process.poll() is None, "make serve ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    raise AssertionError("not ready in 600 s")


def run(line: str, clone: Path, port: int) -> bytes:
    """Run a command of a page in the clone, against the port of this test."""
    line = line.replace(f"127.0.0.1:{PORT}", f"127.0.0.1:{port}")
    bash = shutil.which("bash")
    assert bash, "needs bash"
    return subprocess.run([bash, "-c", line], cwd=clone, check=True, capture_output=True, timeout=120).stdout


def shown_answer() -> dict[str, object]:
    """The answer that README.md shows."""
    (block,) = re.findall(r"^```json\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    answer: dict[str, object] = json.loads(block)
    return answer


def assert_like(shown: object, real: object) -> None:
    """Everything that is shown has its like in the real answer: the same keys, and values of the same kind."""
    if isinstance(shown, dict):
        assert isinstance(real, dict)
        for key in shown:
            assert_like(shown[key], real[key])
    elif isinstance(shown, list):
        assert isinstance(real, list)
        assert_like(shown[0], real[0])
    elif shown is not None and real is not None:
        assert type(shown) is type(real)


def test_the_picture_of_the_readme_is_small() -> None:
    (picture,) = re.findall(r'<img src="([^"]+)"', (ROOT / "README.md").read_text())
    assert (ROOT / picture).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (ROOT / picture).stat().st_size < 150_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_make_serve_installs_no_torch(serving: Path) -> None:
    packages = {path.name for path in (serving / ".venv").glob("lib/python*/site-packages/*")}
    assert "fastapi" in packages
    assert "torch" not in packages


@pytest.mark.slow
def test_the_first_request_answers_with_rain(serving: Path, port: int) -> None:
    answer = json.loads(run(command(START, "curl -X POST", "encoding=none"), serving, port))
    assert len(answer["summary"]) == 12
    assert all(lead["wet_fraction"] > 0.01 for lead in answer["summary"])
    assert "Synthetic" in answer["attribution"]


@pytest.mark.slow
def test_a_place_and_a_map_are_answered_from_the_run(serving: Path, port: int) -> None:
    deadline = time.monotonic() + 120
    while "forecast" not in (answer := json.loads(run(command("README.md", "curl 'http", "point?"), serving, port))):
        assert answer["status"] == 503
        assert time.monotonic() < deadline, answer
        time.sleep(0.5)
    assert answer["coverage"] == "ok"
    assert len(answer["forecast"]) == 24
    assert command(START, "curl 'http", "point?") == command("README.md", "curl 'http", "point?")
    assert_like(shown_answer(), answer)
    run(command(START, "curl 'http", "bbox"), serving, port)
    assert (serving / "berlin.tif").read_bytes()[:2] == b"II"


@pytest.mark.slow
def test_the_picture_is_a_picture(serving: Path, port: int) -> None:
    run(command(START, "curl -X POST", "image/png"), serving, port)
    assert (serving / "rain.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow
def test_own_frames_give_a_netcdf_forecast(serving: Path, port: int) -> None:
    import xarray

    run(command(FRAMES, ".venv/bin/python -m radar demo demo-frames"), serving, port)
    run(command(FRAMES, "curl $(printf", "netcdf"), serving, port)
    with xarray.open_dataset(serving / "forecast.nc") as forecast:
        assert forecast.rainfall_rate.shape == (12, 900, 900)
        assert {"lat", "lon"} <= set(forecast.coords)
        assert float(forecast.rainfall_rate.max()) > 1


@pytest.mark.slow
def test_the_picture_of_the_readme_is_what_its_commands_make(serving: Path, port: int) -> None:
    import numpy as np
    from PIL import Image

    run(command(FRAMES, ".venv/bin/python -m radar demo picture-frames"), serving, port)
    run(command(FRAMES, "curl $(printf", "image/png"), serving, port)
    made, shown = (np.asarray(Image.open(serving / path)) for path in ("nowcast.png", "docs/images/nowcast.png"))
    assert made.shape == shown.shape
    assert (made == shown).mean() > 0.99  # other processors may round to the neighbouring colour
