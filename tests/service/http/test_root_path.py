"""The service below a path of its host."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from radar.errors import InvalidRequest
from service.http.root_path import check_prefix
from service.settings import Settings
from tests.service.conftest import Client, Site, npy, rain, sequence
from tests.service.routes.test_predict import NPY, check_problem

MAKE = Callable[..., Client]
PROXY = "127.0.0.1"
SENT = {"X-Forwarded-Prefix": "/radar"}


@pytest.mark.parametrize(
    ("prefix", "bare"),
    [("", ""), ("/", ""), ("/radar", "/radar"), ("/radar/", "/radar"), ("/a/b-c_d.e~", "/a/b-c_d.e~")],
)
def test_a_prefix_has_no_slash_at_its_end(prefix: str, bare: str) -> None:
    assert check_prefix(prefix, "X") == bare


@pytest.mark.parametrize(
    "prefix",
    [
        "radar",
        "//radar",
        "//evil.example/radar",
        "/a//b",
        "/radar//",
        "https://host/radar",
        "/a/../b",
        "/..",
        "/.",
        "/a\r\nSet-Cookie: x",
        "/a\n",
        "/a b",
        "/a?b",
        "/a#b",
        "/a%2Fb",
        "/\\evil",
        '/"><script>',
        "/ä",
        "/radar, /radar",
        "/" + "a" * 300,
    ],
)
def test_what_is_no_plain_path_is_refused_at_the_start_and_from_a_proxy(prefix: str) -> None:
    with pytest.raises(InvalidRequest, match="RAINCELL_ROOT_PATH"):
        Settings(root_path=prefix)


@pytest.mark.parametrize("prefix", ["/nowcast", "/frames/radar", "/docs", "/openapi.json", "/static-offline-docs"])
def test_the_prefix_is_no_route(make_client: MAKE, prefix: str) -> None:
    with pytest.raises(InvalidRequest, match="no route of the service begins with"):
        make_client(root_path=prefix)
    refused = make_client(trusted_proxies=PROXY).get("/livez", headers={"X-Forwarded-Prefix": prefix})
    check_problem(refused, 422, "X-Forwarded-Prefix", "/radar")


@pytest.fixture
def below(make_site: Callable[..., Site]) -> Site:
    """A site below /radar, with a run."""
    site = make_site(run_lead_minutes=10, root_path="/radar")
    site.add(sequence(5))
    return site


@pytest.mark.parametrize("path", ["", "/radar"])
def test_links_are_prefixed_whether_or_not_the_proxy_strips(below: Site, path: str) -> None:
    told = below.get(f"{path}/nowcast").json()
    assert told["url"] == f"/radar/nowcast/{told['run']}"
    frame = told["forecast"][0]
    for link in (told["url"], frame["url"], frame["probability_url"], told["observed"][0]["url"]):
        assert link.startswith("/radar/nowcast/")
        assert below.get(link).status_code == 200
        assert below.get(link.removeprefix("/radar")).status_code == 200


@pytest.mark.parametrize("path", ["", "/radar"])
def test_docs_and_redirects_stay_below_the_prefix(below: Site, path: str) -> None:
    page = below.get(f"{path}/docs").text
    links = re.findall(r"""(?:href|src)="(/[^"]*)"|url: '([^']*)'""", page)
    assert len(links) == 4
    for link in ("".join(pair) for pair in links):
        assert link.startswith("/radar/")
        assert below.get(link).status_code == 200
        assert below.get(link.removeprefix("/radar")).status_code == 200
    assert below.get(f"{path}/openapi.json").json()["servers"] == [{"url": "/radar"}]
    for asked, location in [("/", "/radar/docs"), ("/nowcast/?grid=x%26y", "/radar/nowcast?grid=x%26y")]:
        answer = below.get(f"{path}{asked}")
        assert (answer.status_code, answer.headers["location"]) == (307, location)
    assert below.get("/radar").headers["location"] == "/radar/docs"
    assert below.client.request("PUT", f"{path}/frames").headers["allow"] == "GET, HEAD, POST"
    assert below.client.request("PUT", f"{path}/static-offline-docs/x").headers["allow"] == "GET, HEAD"


def test_neighbours_of_the_prefix_are_not_below_it(below: Site) -> None:
    for path in (
        "/radarx/livez",
        "/radar/radar/livez",
        "/livez/radar",
        "http://raincell//radar/livez",
        "/radar//livez",
    ):
        assert below.get(path).status_code == 404, path
    assert "location" not in below.get("http://raincell//evil.example/").headers


def test_scopes_of_keys_are_those_below_the_prefix(make_client: MAKE, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    guarded = make_client(api_keys=tmp_path / "keys", allow_anonymous="read", root_path="/radar")
    for path in ("", "/radar"):
        for route, scope in (("/frames", "ingest"), ("/predict", "predict")):
            answer = guarded.post(f"{path}{route}?product=RY", content=npy(rain()), headers=NPY)
            check_problem(answer, 401, f"scope {scope}")
        assert guarded.delete(f"{path}/frames/RY/201708160115").status_code == 401
        assert guarded.get(f"{path}/frames").status_code == 200
    assert make_client(api_keys=tmp_path / "keys", root_path="/radar").get("/radar/livez").status_code == 200


def test_the_header_is_read_of_trusted_proxies_alone(make_client: MAKE) -> None:
    def prefix(client: Client, sent: str = "/radar") -> str:
        return str(client.get("/", headers={"X-Forwarded-Prefix": sent}).headers["location"]).removesuffix("/docs")

    assert prefix(make_client()) == ""
    assert prefix(make_client(root_path="/own")) == "/own"
    assert prefix(make_client(trusted_proxies="10.0.0.0/8", root_path="/own")) == "/own"
    trusting = make_client(trusted_proxies=f"10.0.0.0/8,{PROXY}", root_path="/own")
    assert prefix(trusting) == "/radar"
    assert prefix(trusting, "/radar/") == "/radar"
    assert prefix(trusting, "/") == ""
    assert prefix(trusting, "") == "/own"
    assert prefix(trusting, "/a/b") == "/a/b"


def test_who_is_asking_is_still_told_by_the_proxy(make_client: MAKE) -> None:
    """The prefix is read by the proxy's address, and the quota counted by the caller's."""
    client = make_client(trusted_proxies=PROXY, anonymous_per_minute=1)
    for caller, status in [("203.0.113.1", 200), ("203.0.113.2", 200), ("203.0.113.1", 429)]:
        assert client.get("/frames", headers={**SENT, "X-Forwarded-For": caller}).status_code == status


def test_two_prefixes_never_share_an_answer(make_site: Callable[..., Site]) -> None:
    site = make_site(run_lead_minutes=10, trusted_proxies=PROXY)
    site.add(sequence(5))
    told = [
        site.client.get("/nowcast", headers={"X-Forwarded-Prefix": prefix})
        for prefix in ("/a", "/b", "/a", "/", "/b/c")
    ]
    assert [answer.json()["url"].split("/nowcast")[0] for answer in told] == ["/a", "/b", "/a", "", "/b/c"]
    assert len({answer.headers["etag"] for answer in told}) == 4


def test_the_document_is_the_same_when_it_is_asked_for_again(client: Client) -> None:
    first, second = (client.get("/openapi.json") for _ in range(2))
    assert first.content == second.content
    assert "servers" not in first.json()


def test_the_log_and_the_metrics_know_routes_by_their_template(below: Site) -> None:
    below.get("/radar/livez")
    below.get("/radar/nowcast")
    told = below.client.get("/metrics").text
    for route in ("/livez", "/nowcast"):
        assert f'method="GET",route="{route}",status="200"' in told
    assert 'route="/radar' not in told
