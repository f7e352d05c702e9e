"""The real server process."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import onnxruntime as ort
import pytest

from tests.service.conftest import FRESH, RedisServer, ServiceProcess, beside_age, free_port, npy, rain, start_service

START = Callable[..., ServiceProcess]
NPY = {"Content-Type": "application/x-npy"}
ABOUT = {"valid_time": "2017-08-16T01:15:00Z", "product": "RY"}


def test_it_starts_predicts_and_ends(make_service_process: START) -> None:
    server = make_service_process(FRESH)
    answer = httpx.post(
        f"{server.url}/predict", params=ABOUT, content=npy(rain()), headers={**NPY, "Accept": "application/x-npy"}
    )
    forecast = np.load(io.BytesIO(answer.content))
    assert forecast.shape == (12, 24, 20)
    assert "server" not in answer.headers
    server.stop()
    assert server.process.returncode == 0


def refusal(repository: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit status and error text of a service that does not start."""
    process = start_service(
        [*arguments, "--port", str(free_port())], {"RAINCELL_MODEL_REPOSITORY": str(repository), **environment}
    )
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, errors.decode()


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="this ONNX Runtime has CUDA")
def test_cuda_without_a_gpu_refuses_to_start_and_says_why(repository: Path) -> None:
    status, errors = refusal(repository, RAINCELL_PROVIDER="cuda")
    assert status == 1
    assert errors.count("\n") == 1
    assert "RAINCELL_PROVIDER=cuda" in errors
    assert "set RAINCELL_PROVIDER=cpu" in errors


def test_a_wide_open_host_is_refused(repository: Path) -> None:
    status, errors = refusal(repository, "--host", "0.0.0.0")
    assert status == 1
    assert errors.count("\n") == 1
    assert "RAINCELL_API_KEYS" in errors
    assert "RAINCELL_ALLOW_ANONYMOUS" in errors


def test_a_file_of_keys_that_is_none_is_refused(repository: Path, tmp_path: Path) -> None:
    status, errors = refusal(repository, RAINCELL_API_KEYS=str(tmp_path / "none"))
    assert (status, errors.count("\n")) == (1, 1)
    assert "a readable file in the file of API keys" in errors
    assert str(tmp_path) not in errors


def test_a_repository_without_models_and_wrong_settings_are_refused(tmp_path: Path) -> None:
    status, errors = refusal(tmp_path)
    assert (status, errors.count("\n")) == (1, 1)
    assert "folder without models" in errors
    assert str(tmp_path) not in errors
    status, errors = refusal(tmp_path, RAINCELL_MAX_BODY_MB="many")
    assert (status, errors.count("\n")) == (1, 1)
    assert "RAINCELL_MAX_BODY_MB" in errors


def test_redis_killed_in_mid_run_costs_no_500(service_process: START, redis_server: RedisServer) -> None:
    server = service_process(RAINCELL_REDIS_URL=redis_server.url)
    added = httpx.post(f"{server.url}/frames", params=ABOUT, content=npy(rain()), headers=NPY)
    assert added.status_code == 201
    before = httpx.post(f"{server.url}/predict?product=RY")
    assert beside_age(before) is None
    redis_server.kill()
    after = httpx.post(f"{server.url}/predict?product=RY", timeout=60)
    assert (beside_age(after) or "").startswith("history store unavailable")
    assert after.json()["frames"] == before.json()["frames"]
    refused = httpx.post(f"{server.url}/frames", params=ABOUT, content=npy(rain()), headers=NPY, timeout=60)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    ready = httpx.get(f"{server.url}/readyz", timeout=60)
    assert ready.status_code == 200
    assert ready.json()["history_answers"] is False


def test_a_body_that_is_too_large_is_refused_declared_or_not(service_process: START) -> None:
    server = service_process(RAINCELL_MAX_BODY_MB="1")
    declared = exchange(server.port, b"Content-Length: 99999999999\r\n\r\n")
    assert b" 413 " in declared.split(b"\r\n")[0]
    assert b"application/problem+json" in declared

    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b"10000\r\n" + b"\0" * 65536 + b"\r\n"

    streamed = exchange(server.port, b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks()))
    assert b" 413 " in streamed.split(b"\r\n")[0]
    assert b"at most 1 MiB" in streamed
    assert httpx.get(f"{server.url}/livez").status_code == 200


def exchange(port: int, rest: bytes) -> bytes:
    """What the server answers to POST /predict with these last headers and this body, until it has said all."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-npy\r\n" + rest)
        answer = b""
        while b"remedy" not in answer or not answer.endswith(b"}"):
            part = connection.recv(65536)
            if not part:
                break
            answer += part
        return answer
