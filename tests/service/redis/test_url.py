"""Addresses of Redis that are refused before anything starts, by name and without their password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from radar.errors import InvalidRequest
from service.__main__ import main
from service.redis.client import connect
from service.redis.url import check_redis_url
from service.settings import Settings
from tests.service.redis_front import make_certificate

GOOD = [
    "redis://localhost",
    "redis://localhost:6379",
    "redis://localhost:6379/",
    "redis://cache.example:6380/15",
    "redis://10.0.0.1?db=3",
    "redis://[::1]:6379/0",
    "redis://:password@cache/0",
    "redis://user:p%40ss%2Fw%3Ard%25@cache/0?socket_timeout=0.5&client_name=raincell&protocol=2",
    "redis://us@er:p@ss@cache:6379/0",
    "redis://cache/0?health_check_interval=30&max_connections=50&socket_connect_timeout=2&socket_keepalive=no",
    "rediss://user:secret@cache:6380/0?ssl_cert_reqs=none&ssl_check_hostname=false",
    "unix:///run/redis.sock",
    "unix://user:secret@/run/redis.sock?db=2&socket_timeout=1",
    "  redis://localhost:6379/0\n",
]


@pytest.mark.parametrize("url", GOOD)
def test_good_ones_make_a_client_that_means_the_same(url: str) -> None:
    assert check_redis_url(url) == url.strip()
    pool = connect(url).connection_pool
    made = pool.make_connection()  # with every option, but not connected
    if "db=" in url:
        assert str(made.db) == url.partition("db=")[2][0]
    assert made.socket_timeout == pool.connection_kwargs["socket_timeout"] <= 1


BAD: dict[str, str] = {
    "http://cache:6379/0": r"got http://; write redis://",
    "valkeys://cache": r"got valkeys://; write rediss://",
    "REDIS://cache": "got REDIS://",
    "redis+sentinel://a,b/main": "neither Sentinel nor a cluster",
    "cache:6379": "without redis:// at its beginning",
    "geheim": "without redis:// at its beginning",
    "": "without redis:// at its beginning",
    "redis:/cache": "without redis:// at its beginning",
    "redis://": "no host",
    "redis:///0": "no host",
    "redis://:geheim@/0": "no host",
    "redis://:geheim@:6379/0": "no host",
    "redis://cache:port/0": "a port that is not a number",
    "redis://cache:/0": "a port that is not a number",
    "redis://cache:0/0": "a port that is not a number",
    "redis://cache:65536/0": "a port that is not a number",
    "redis://:ge/heim@cache:6379/0": "%2F for /",
    "redis://:ge?heim@cache:6379/0": "percent-encoded",
    "redis://:ge#heim@cache:6379/0": "a #.*%23 for #",
    "redis://:ge heim@cache:6379/0": "a blank",
    "redis://user:12/geheim@cache:6379/0": "percent-encoded",
    "redis://user:12?geheim@cache:6379/0": "percent-encoded",
    "redis://[::1:6379/0": "brackets",
    "redis://cache/zero": "a database that is not a number",
    "redis://cache/-1": "a database that is not a number",
    "redis://cache/0/1": "a database that is not a number",
    "redis://cache?db=zero": "db that is not a whole number",
    "redis://cache/1?db=2": "two databases",
    "redis://cache?db=1&db=2": "db twice",
    "redis://cache?db": "db that is not",
    "redis://cache?sokket_timeout=1": "write socket_timeout",
    "redis://cache?decode_responses=true": "the option decode_responses; known are client_name, db",
    "redis://cache?socket_timeout=soon": "socket_timeout that is not a number of seconds",
    "redis://cache?socket_timeout=0": "socket_timeout that is not a number of seconds",
    "redis://cache?max_connections=0": "max_connections that is not",
    "redis://cache?protocol=4": "protocol that is not one of 2, 3",
    "redis://cache?ssl_cert_reqs=none": "write rediss://",
    "redis://cache?ssl=true": "write rediss://",
    "rediss://cache?ssl_cert_reqs=CERT_NONE": "ssl_cert_reqs that is not one of required, optional, none",
    "rediss://cache?ssl_ca_certs=/no/such/file.pem": "ssl_ca_certs that is not a file that can be read",
    "rediss://cache?ssl_ca_path=/no/such/folder": "ssl_ca_path that is not a folder",
    f"rediss://cache?ssl_ca_certs={quote(__file__)}": "ssl_ca_certs that holds no certificate",
    f"rediss://cache?ssl_certfile={quote(__file__)}": "not a certificate and its key",
    f"rediss://cache?ssl_keyfile={quote(__file__)}": "ssl_keyfile without ssl_certfile",
    "unix://run/redis.sock": "three slashes",
    "unix://": "three slashes",
    "unix:///run/redis.sock?db=x": "db that is not",
    "unix:///run/redis.sock?ssl_cert_reqs=none": "write rediss://",
}


@pytest.mark.parametrize("url", BAD)
def test_bad_ones_are_refused_by_name_and_not_shown(url: str) -> None:
    with pytest.raises(InvalidRequest, match=BAD[url]) as raised:
        check_redis_url(url)
    assert str(raised.value).startswith("expected RAINCELL_REDIS_URL (or --redis-url) such as redis://")
    assert "heim" not in str(raised.value)


def test_certificates_of_a_client_are_looked_at(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    _, other = make_certificate(tmp_path, "other")
    pair = f"rediss://cache?ssl_ca_certs={certificate}&ssl_certfile={certificate}&ssl_keyfile="
    assert check_redis_url(f"{pair}{key}")
    with pytest.raises(InvalidRequest, match="not a certificate and its key"):
        check_redis_url(f"{pair}{other}")


@pytest.mark.parametrize(
    "command", [["run"], ["demo"], ["ingest", "--source", ".", "--product", "RY"]], ids=lambda words: words[0]
)
def test_no_command_starts_with_a_bad_one(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("RAINCELL_REDIS_URL", "redis://:geheim@cache:port/0")
    assert main(command) == 1
    told = capsys.readouterr().err
    assert told.startswith("raincell does not start: RAINCELL_REDIS_URL: expected RAINCELL_REDIS_URL")
    monkeypatch.delenv("RAINCELL_REDIS_URL")
    (tmp_path / "raincell_redis_url").write_text("redis://:geheim@cache/zero\n")
    monkeypatch.setenv("RAINCELL_SECRETS", str(tmp_path))
    assert main(command) == 1
    told += capsys.readouterr().err
    assert "a database that is not a number" in told
    if command[0] == "ingest":
        assert main([*command, "--redis-url", "http://:geheim@cache"]) == 1
        told += capsys.readouterr().err
        assert "--redis-url" in told
    assert "geheim" not in told
    assert "cache" not in told


def test_the_password_is_in_no_picture_of_the_settings() -> None:
    assert "geheim" not in repr(Settings(redis_url="redis://:geheim@cache/0"))


def test_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "ANONYMOUS_PER_MINUTE", "ALLOW_ANONYMOUS", "VERIFICATION", "QUEUE"):
        monkeypatch.setenv(f"RAINCELL_{name}", "")
    assert Settings() == Settings(redis_url=None, anonymous_per_minute=None, verification=None)
