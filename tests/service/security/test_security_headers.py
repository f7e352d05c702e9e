"""What browsers are told, what other sites' pages may do, and what nobody is told."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from service.http.problems import UnexpectedErrors
from service.routes import models
from tests.service.conftest import Client, ServiceProcess, wait_until
from tests.service.http.test_hostile import A_PATH
from tests.service.routes.test_predict import check_problem

SITE = "https://maps.example"


@pytest.mark.parametrize("path", ["/frames", "/nonesuch", "/livez", "/docs", "/openapi.json", "/predict", "/metrics"])
def test_every_answer_tells_browsers_what_not_to_do_with_it(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'self'" in headers["content-security-policy"]


def fail_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let GET /models meet a fault of the service that names a file."""

    def broken(_served: object) -> None:
        raise KeyError("/srv/raincell/secret.py")

    monkeypatch.setattr(models, "_describe", broken)


def test_a_fault_of_the_service_tells_nothing_of_its_inside(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client(cors_origins=SITE)
    fail_inside(monkeypatch)
    response = client.get("/models/still", headers={"Origin": SITE, "X-Request-ID": "mine"})
    check_problem(response, 500, "a fault of the service")
    assert not A_PATH.search(response.text)
    assert "secret" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["access-control-allow-origin"] == SITE
    assert response.headers["x-request-id"] == "mine"
    assert "KeyError" in caplog.text
    assert 'route="/models/{name}",status="500"} 1.0' in client.get("/metrics").text


def test_no_site_may_read_answers_unless_it_is_named(client: Client) -> None:
    assert "access-control-allow-origin" not in client.get("/frames", headers={"Origin": SITE}).headers


@pytest.mark.parametrize(("origins", "told"), [(SITE, SITE), ("*", "*")])
def test_named_sites_may_read_answers_refusals_too(
    make_client: Callable[..., Client], tmp_path: Path, origins: str, told: str
) -> None:
    (tmp_path / "keys").write_text("")
    client = make_client(cors_origins=origins, api_keys=tmp_path / "keys")
    for path, status in (("/livez", 200), ("/frames", 401)):
        response = client.get(path, headers={"Origin": SITE})
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == told
        assert "access-control-allow-credentials" not in response.headers
        assert "Retry-After" in response.headers["access-control-expose-headers"]
    asked: dict[str, Any] = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    allowed = client.request("OPTIONS", "/predict", headers={"Origin": SITE, **asked})
    assert allowed.status_code == 200
    assert "POST" in allowed.headers["access-control-allow-methods"]


def test_another_site_than_the_named_ones_may_not(make_client: Callable[..., Client]) -> None:
    client = make_client(cors_origins=SITE)
    origin = {"Origin": "https://other.example"}
    assert "access-control-allow-origin" not in client.get("/frames", headers=origin).headers
    asked = client.request("OPTIONS", "/predict", headers={**origin, "Access-Control-Request-Method": "POST"})
    check_problem(asked, 400, "Disallowed CORS origin")
    assert "access-control-allow-origin" not in asked.headers


def test_an_answer_that_has_begun_is_cut_off_by_a_fault() -> None:
    sent: list[Message] = []

    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("in the midst of it")

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    with pytest.raises(ValueError, match="midst"):
        anyio.run(UnexpectedErrors(broken), {"type": "http"}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


def test_the_documentation_runs_its_own_script_and_no_other(client: Client) -> None:
    response = client.get("/docs")
    (script,) = re.findall("<script>(.*?)</script>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}'" in response.headers["content-security-policy"]
    for address in re.findall(r'(?:src|href)="([^"]+)"', response.text):
        assert address.startswith("/static-offline-docs/")
        assert client.get(address).status_code == 200


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_shows_the_documentation(service_process: Callable[..., ServiceProcess], tmp_path: Path) -> None:
    server = service_process()
    command = [
        str(CHROMIUM),
        *("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"),
        *("--enable-logging=stderr", "--v=0", f"--user-data-dir={tmp_path}", f"{server.url}/docs"),
    ]

    def shown() -> bool:
        """Whether the page is complete; on a busy machine the browser may give up before it is."""
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        assert "Content Security Policy" not in done.stderr, done.stderr
        return "opblock-summary-path" in done.stdout and "Authorize" in done.stdout

    wait_until(shown, "the browser to show the page")
