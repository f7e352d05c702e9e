"""Whatever the OpenAPI document allows, and much that it does not: no 500, and every answer as documented."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import RedisServer, ServiceProcess, npy, rain, wait_until
from tests.service.routes.test_predict import NPY, check_problem

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance"
)
CASES = 2000


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_generated_requests_are_answered_as_documented(
    service_process: Callable[..., ServiceProcess], redis_server: RedisServer, tmp_path: Path
) -> None:
    service = service_process(RAINCELL_REDIS_URL=redis_server.url)
    about = {"valid_time": "2017-08-16T01:15:00Z", "product": "RY"}
    posted = httpx.post(f"{service.url}/frames", params=about, content=npy(rain()), headers=NPY)
    assert posted.status_code == 201, posted.text
    wait_until(lambda: httpx.get(f"{service.url}/nowcast").status_code == 200, "the first run")
    report = tmp_path / "report.json"
    program = shutil.which("schemathesis", path=Path(sys.executable).parent)
    assert program, "make test installs schemathesis"
    options = f"--checks {CHECKS} --phases examples,coverage,fuzzing --max-examples 90 --seed 1 --no-color"
    command = [program, "run", f"{service.url}/openapi.json", *options.split(), "--report", "json"]
    command += ["--report-json-path", str(report), "--generation-database", "none", "--continue-on-failure"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20000:]
    assert cases(json.loads(report.read_text())) >= CASES, done.stdout[-2000:]
    service.wait_ready()


def cases(report: dict[str, dict[str, int]]) -> int:
    """How many requests were made up."""
    return report["test_cases"]["generated"]


def test_json_that_is_no_text_is_a_problem(service_process: Callable[..., ServiceProcess]) -> None:
    url = f"{service_process().url}/nowcast/points"
    answer = httpx.post(url, content=b"\xff\xfe[", headers={"Content-Type": "application/json"})
    check_problem(answer, 422, "Invalid JSON")
