"""The log: a line a record, with the request that it belongs to, and nothing that is nobody's business."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.monitoring import log
from service.monitoring.request_id import request_id
from service.security.keys import make_key
from tests.service.conftest import Client, free_port, npy, rain, service_program, wait_until
from tests.service.routes.test_predict import NPY
from tests.service.security.test_security_headers import fail_inside


@pytest.fixture
def lines() -> Iterator[Callable[[log.LogFormat], io.StringIO]]:
    """Sets up logging to memory, and takes it back."""
    root = logging.getLogger()
    before = root.handlers, root.level

    def set_up(form: log.LogFormat) -> io.StringIO:
        stream = io.StringIO()
        log.set_up(form, stream)
        return stream

    yield set_up
    root.handlers, root.level = before


def entries(stream: io.StringIO) -> list[dict[str, Any]]:
    """Every line as JSON."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_record_is_an_object_a_line(lines: Callable[..., io.StringIO]) -> None:
    stream = lines("json")
    token = request_id.set("abc")
    logging.getLogger("raincell").warning("two\nlines of %s", "text")
    request_id.reset(token)
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("other").exception("failed")
    logging.getLogger("other").info("not of interest")
    first, second = entries(stream)
    assert datetime.fromisoformat(first.pop("time")).tzinfo
    assert first == {"level": "warning", "logger": "raincell", "message": "two\nlines of text", "request_id": "abc"}
    assert second["request_id"] is None
    assert second["exception"].startswith("Traceback")
    assert "ValueError: broken" in second["exception"]


def test_text_is_for_people_and_keeps_to_its_line(lines: Callable[..., io.StringIO]) -> None:
    stream = lines("text")
    logging.getLogger("raincell").info("a forged\n2024 line\x1b[31m")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("Z INFO    a forged?2024 line?[31m")


def test_a_request_is_a_line_with_its_id_and_its_key(
    lines: Callable[..., io.StringIO], make_client: Callable[..., Client], tmp_path: Path
) -> None:
    secret, key = make_key("office", ["read", "predict"], None)
    (tmp_path / "keys").write_text(key.line)
    client = make_client(api_keys=tmp_path / "keys")
    stream = lines("json")
    headers = {"Authorization": f"Bearer {secret}", "X-Request-ID": "my-id.1"}
    about = {"valid_time": "2017-08-16T01:15:00Z", "product": "SECRETPRODUCT"}
    response = client.post("/predict", params=about, content=npy(rain()), headers={**NPY, **headers})
    assert response.headers["x-request-id"] == "my-id.1"
    client.get("/models")
    client.get("/livez")
    first, second = entries(stream)
    assert first["ms"] > 0
    about = {name: first[name] for name in ("method", "route", "status", "key", "request_id", "level")}
    assert about == {
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "key": "office",
        "request_id": "my-id.1",
        "level": "info",
    }
    assert (second["route"], second["status"], second["key"]) == ("none", 401, None)
    assert secret not in stream.getvalue()
    assert "SECRETPRODUCT" not in stream.getvalue()


@pytest.mark.parametrize("offered", ["", "a" * 65, "a b", "a\tb", "<script>", "ä"])
def test_an_id_that_could_do_harm_is_replaced(client: Client, offered: str) -> None:
    given = client.get("/livez", headers={"X-Request-ID": offered.encode()}).headers["x-request-id"]
    assert given != offered
    assert len(given) == 16


def test_a_fault_is_logged_with_the_request_that_met_it(
    lines: Callable[..., io.StringIO], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_inside(monkeypatch)
    stream = lines("json")
    identity = client.get("/models").headers["x-request-id"]
    failure, line = entries(stream)
    assert "KeyError" in failure["exception"]
    assert (failure["level"], line["status"]) == ("error", 500)
    assert failure["request_id"] == line["request_id"] == identity


def test_the_server_writes_nothing_but_json(repository: Path, tmp_path: Path) -> None:
    port, out = free_port(), tmp_path / "log"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAINCELL_")}
    settings = {"RAINCELL_MODEL_REPOSITORY": str(repository), "RAINCELL_LOG_FORMAT": "json"}
    with out.open("wb") as stream:
        process = service_program(["run", "--port", str(port)], kept | settings, stdout=stream, stderr=stream)
        try:
            wait_until(lambda: answers(port), "the service to answer")
            assert httpx.get(f"http://127.0.0.1:{port}/models/none").status_code == 404
        finally:
            process.terminate()
            process.wait(timeout=60)
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert any(entry["message"].startswith("Uvicorn running") for entry in written)
    (request,) = [entry for entry in written if "route" in entry]
    assert (request["route"], request["status"]) == ("/models/{name}", 404)


def answers(port: int) -> bool:
    """Whether the service does."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code == 200
    except httpx.TransportError:
        return False
