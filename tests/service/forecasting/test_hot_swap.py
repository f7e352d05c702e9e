"""Champions exchanged under a real server process and fifty callers at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from models.repository import set_alias
from tests.service.conftest import ServiceProcess, rain, tiny_card, wait_until, write_repository, write_version

START = Callable[..., ServiceProcess]
CALLERS = 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_repository(tmp_path / "models", tiny_card())


def start(service_process: START, folder: Path) -> ServiceProcess:
    return service_process(
        RAINCELL_MODEL_REPOSITORY=str(folder), RAINCELL_WATCH_SECONDS="0.2", RAINCELL_QUEUE=str(2 * CALLERS)
    )


def body() -> dict[str, object]:
    frames = rain().astype(object)
    frames[np.isnan(rain())] = None
    return {"frames": frames.tolist(), "valid_time": "2017-08-16T01:15:00Z", "product": "RY"}


def ask(client: httpx.Client, question: dict[str, object]) -> tuple[int, str, float]:
    """Status, the version that the answer names, and its heaviest rain at the first lead."""
    answer = client.post("/predict?lead_minutes=5&encoding=none", json=question)
    said = answer.json()
    return answer.status_code, said.get("version", ""), said["summary"][0]["max"] if answer.is_success else 0.0


def serving(server: ServiceProcess) -> str:
    return str(httpx.get(f"{server.url}/models/still", timeout=60).json()["version"])


def rejections(server: ServiceProcess) -> list[dict[str, str]]:
    return list(httpx.get(f"{server.url}/readyz").json()["rejected"])


def test_champions_are_exchanged_under_fifty_callers(service_process: START, folder: Path) -> None:
    server, question, enough = start(service_process, folder), body(), threading.Event()

    def go_on(_: int) -> list[tuple[int, str, float]]:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            answers = [ask(client, question)]
            while not enough.is_set():
                answers.append(ask(client, question))
        return answers

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(go_on, number) for number in range(CALLERS)]
        try:
            for version, offset in (("2", 0.02), ("3", 0.01)):
                write_version(folder, tiny_card(version=version), offset=offset, golden_offset=offset)
                set_alias(folder, "still", "champion", version)
                wait_until(lambda version=version: serving(server) == version, f"version {version}")  # type: ignore[misc]
            set_alias(folder, "still", "champion", "1")
            wait_until(lambda: serving(server) == "1", "the way back")
        finally:
            enough.set()
        answers = [answer for caller in callers for answer in caller.result()]
    assert {status for status, _, _ in answers} == {200}
    heaviest = {version: {value for _, named, value in answers if named == version} for version in ("1", "2", "3")}
    # Every answer is one model's, and the one's that it names.
    assert all(len(values) == 1 for values in heaviest.values()), heaviest
    assert len(set.union(*heaviest.values())) == 3
    assert rejections(server) == []


def test_a_corrupt_champion_is_refused_and_reported_while_the_old_one_serves(
    service_process: START, folder: Path
) -> None:
    server, question = start(service_process, folder), body()
    version = write_version(folder, tiny_card(version="2"))
    (version / "model.onnx").write_bytes(b"damaged")
    set_alias(folder, "still", "champion", "2")
    wait_until(lambda: bool(rejections(server)), "the refusal")
    (refused,) = rejections(server)
    assert (refused["name"], refused["version"]) == ("still", "2")
    assert "another sha256" in refused["reason"]
    assert str(folder) not in str(refused)
    assert httpx.get(f"{server.url}/models").json()["rejected"] == [refused]
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    with httpx.Client(base_url=server.url, timeout=60) as client:
        assert ask(client, question)[:2] == (200, "1")
    set_alias(folder, "still", "champion", "1")
    wait_until(lambda: not rejections(server), "the refusal to be forgotten")
