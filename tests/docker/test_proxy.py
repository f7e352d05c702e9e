"""The proxy's configuration, as nginx itself reads it where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CONF = Path(__file__).parents[2] / "docker" / "proxy" / "nginx.conf"


@pytest.fixture(scope="module")
def directives() -> dict[str, list[str]]:
    """What each directive says, wherever it stands."""
    text = re.sub(r"#.*", "", CONF.read_text())
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"(?:^|[;{}])\s*([a-z_]+)\s+([^;{}]*);", text.replace(";", "; ;")):
        found.setdefault(name, []).append(value.strip())
    return found


def test_no_post_is_handed_to_a_second_replica(directives: dict[str, list[str]]) -> None:
    (cases,) = directives["proxy_next_upstream"]
    assert "error" in cases.split()
    assert "non_idempotent" not in cases


def test_bodies_and_answers_are_stored_nowhere(directives: dict[str, list[str]]) -> None:
    assert directives["proxy_request_buffering"] == ["off"]
    assert directives["proxy_max_temp_file_size"] == ["0"]
    assert sorted(directives["client_max_body_size"]) == ["1m", "65m", "65m"]


def test_one_address_cannot_take_every_connection(directives: dict[str, list[str]]) -> None:
    limits = dict(value.split() for value in directives["limit_conn"])
    assert int(limits["connections"]) < int(limits["together"]) / 10
    assert int(limits["together"]) < int(directives["worker_connections"][0])
    assert directives["limit_req"]
    assert directives["limit_conn_status"] == directives["limit_req_status"] == ["429"]


@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_nginx_reads_it(tmp_path: Path) -> None:
    text = CONF.read_text().replace("/tmp/", f"{tmp_path}/").replace("/etc/nginx/tls", f"{tmp_path}/tls")
    (tmp_path / "nginx.conf").write_text(text)
    told = subprocess.run(
        ["nginx", "-t", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
