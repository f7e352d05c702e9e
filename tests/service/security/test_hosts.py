"""By which names callers without a key may reach the service."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from pydantic import ValidationError
from starlette.datastructures import Headers

from service.errors import UnknownHost
from service.security.hosts import KnownHosts
from service.settings import Settings
from tests.service.conftest import Client
from tests.service.routes.test_predict import check_problem
from tests.service.security.test_access import Keys, ask, keys

__all__ = ["keys"]

ALWAYS = ["localhost:8000", "127.0.0.1", "10.1.2.3:8000", "[::1]:8000", "[fe80::1]", "service:8000", "a.localhost", ""]
FOREIGN = ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example."]
MALFORMED = ["a@evil.example", "evil.example/localhost", "localhost, evil.example", "[::1", "127.0.0.1:8000:9"]


def known(host: str, *named: str) -> bool:
    try:
        KnownHosts(named).check(Headers({"host": host}))
    except UnknownHost:
        return False
    return True


@pytest.mark.parametrize("host", [*ALWAYS, socket.gethostname()])
def test_what_nobody_can_buy_is_known(host: str) -> None:
    assert known(host)


@pytest.mark.parametrize("host", FOREIGN + MALFORMED)
def test_other_names_are_not(host: str) -> None:
    assert not known(host)


def test_names_of_the_operator_are_known_with_any_port_and_in_any_case() -> None:
    named = ("radar.example", "*.maps.example")
    assert all(
        known(host, *named) for host in ("radar.example", "Radar.Example:8443", "a.maps.example", "radar.example.")
    )
    assert not any(known(host, *named) for host in ("maps.example", "notradar.example", "radar.example.evil.example"))
    assert known("evil.example", "*")


def test_one_unknown_host_beside_a_known_one_is_refused() -> None:
    both = Headers(raw=[(b"host", b"localhost"), (b"host", b"evil.example")])
    with pytest.raises(UnknownHost, match=r"evil\.example"):
        KnownHosts().check(both)


@pytest.mark.parametrize("scope", ["read", "predict", "ingest"])
def test_without_a_key_an_unknown_name_is_misdirected(client: Client, scope: str) -> None:
    problem = check_problem(ask(client, scope, headers={"Host": "evil.example"}), 421)
    assert "RAINCELL_HOSTS" in problem["remedy"]
    assert "evil.example" in problem["got"]
    assert client.get("/frames").json()["series"] == []


def test_a_named_host_is_served_and_a_key_opens_every_name(make_client: Callable[..., Client], keys: Keys) -> None:
    named = make_client(hosts="radar.example, *.maps.example")
    assert ask(named, "read", headers={"Host": "a.maps.example:8443"}).status_code == 200
    guarded = make_client(api_keys=keys.path, allow_anonymous="read")
    check_problem(ask(guarded, "read", headers={"Host": "evil.example"}), 421)
    assert ask(guarded, "read", headers={"Host": "evil.example", **keys("read")}).status_code == 200


def test_probes_need_no_name_and_redirects_name_no_host(client: Client) -> None:
    about = {"Host": "evil.example"}
    assert client.get("/livez", headers=about).status_code == 200
    redirect = client.get("/livez/", headers=about | {"Host": "raincell"}, follow_redirects=False)
    assert redirect.headers["Location"] == "/livez"


@pytest.mark.parametrize("host", ["https://radar.example", "radar.example:8000", "radar example", "*.*", "a/b", "-a"])
def test_a_name_that_is_none_is_refused_at_the_start(host: str) -> None:
    with pytest.raises(ValidationError, match="RAINCELL_HOSTS"):
        Settings(hosts=host)  # type: ignore[arg-type]
