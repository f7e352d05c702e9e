"""Who may do what, over HTTP: keys, scopes, quotas, pages of other sites."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.security.access import caller_of, scope_of
from service.security.keys import make_key
from tests.service.conftest import Client, RedisServer, ServiceProcess, npy, rain
from tests.service.routes.test_predict import NPY, check_problem

MAKE = Callable[..., Client]
ABOUT = {"valid_time": "2017-08-16T01:15:00Z", "product": "RY"}
QUOTA = 5


class Keys(dict[str, str]):
    """Keys by name, and the file that a service reads them from."""

    path: Path

    def __call__(self, name: str) -> dict[str, str]:
        """Headers of a request with that key."""
        return {"Authorization": f"Bearer {self[name]}"}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """One key for each scope, one for all, one with a quota."""
    made = Keys()
    lines = []
    wanted: list[tuple[str, list[str], int | None]] = [(name, [name], None) for name in ("read", "predict", "ingest")]
    for name, scopes, per_minute in [*wanted, ("all", ["read", "predict", "ingest"], None), ("few", ["read"], QUOTA)]:
        made[name], key = make_key(name, scopes, per_minute)
        lines.append(key.line)
    made.path = tmp_path / "keys"
    made.path.write_text("\n".join(lines))
    return made


@pytest.fixture
def guarded(make_client: MAKE, keys: Keys) -> Client:
    """A client of an application with keys, on which nobody may do anything without one."""
    return make_client(api_keys=keys.path)


def ask(client: Client, scope: str, **rest: Any) -> httpx.Response:
    """A request that needs this scope and is sound."""
    if scope == "read":
        return client.get("/frames", **rest)
    headers = {**NPY, **rest.pop("headers", {})}
    route = "/predict" if scope == "predict" else "/frames"
    return client.post(route, params=ABOUT, content=npy(rain()), headers=headers, **rest)


SCOPES = ("read", "predict", "ingest")


@pytest.mark.parametrize("needed", SCOPES)
@pytest.mark.parametrize("name", [*SCOPES, "all"])
def test_a_key_opens_what_its_scopes_name_and_nothing_else(guarded: Client, keys: Keys, needed: str, name: str) -> None:
    response = ask(guarded, needed, headers=keys(name))
    if name in (needed, "all"):
        assert response.status_code in (200, 201)
        return
    check_problem(response, 403, f"scope {needed}")
    assert response.headers["www-authenticate"].endswith(f'error="insufficient_scope", scope="{needed}"')


@pytest.mark.parametrize("needed", SCOPES)
def test_without_a_key_nothing_is_open_and_the_answer_says_how_to_send_one(guarded: Client, needed: str) -> None:
    response = ask(guarded, needed)
    check_problem(response, 401, "Authorization: Bearer KEY", f"scope {needed}")
    assert response.headers["www-authenticate"] == 'Bearer realm="raincell"'
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer rc_wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "bearer x" * 1000},
        {"X-API-Key": "rc_wrong"},
        {"X-API-Key": b"\xff\xfe"},
    ],
)
def test_a_key_that_is_not_known_is_refused_even_where_none_is_needed(
    make_client: MAKE, keys: Keys, headers: dict[str, Any]
) -> None:
    client = make_client(api_keys=keys.path, allow_anonymous="read")
    assert ask(client, "read").status_code == 200
    check_problem(ask(client, "read", headers=headers), 401, "one that it does not know")


def test_a_key_may_come_in_a_header_of_its_own(guarded: Client, keys: Keys) -> None:
    assert ask(guarded, "read", headers={"X-API-Key": keys["read"]}).status_code == 200
    basic = {"Authorization": "Basic eDp5", "X-API-Key": keys["read"]}
    assert ask(guarded, "read", headers=basic).status_code == 200, "Basic is for a proxy"


def test_named_scopes_are_open_to_all_and_others_need_a_key(make_client: MAKE, keys: Keys) -> None:
    client = make_client(api_keys=keys.path, allow_anonymous="read,predict")
    assert ask(client, "read").status_code == 200
    assert ask(client, "predict").status_code == 200
    check_problem(ask(client, "ingest"), 401)
    assert ask(client, "ingest", headers=keys("ingest")).status_code == 201


def test_without_keys_a_bearer_is_somebody_elses(client: Client) -> None:
    assert ask(client, "ingest", headers={"Authorization": "Bearer of a proxy"}).status_code == 201


def test_no_route_is_open_by_forgetting_it(guarded: Client, keys: Keys) -> None:
    document = guarded.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    found = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            needed = scope_of(method.upper(), path)
            found.add(needed)
            url = path.format(**dict.fromkeys(["name", "product", "time", "run", "lead", "minutes"], "1"))
            response = guarded.request(method.upper(), url)
            assert (response.status_code == 401) == (needed is not None), (method, path)
            if needed:
                assert operation["security"] == [{"bearer": [needed]}, {"header": [needed]}]
                assert {"401", "403", "429"} <= set(operation["responses"])
            else:
                assert "security" not in operation
    assert found == {None, *SCOPES}
    check_problem(guarded.get("/nonesuch"), 401)
    check_problem(guarded.get("/nonesuch", headers=keys("read")), 404)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/docs", "/openapi.json", "/static-offline-docs/favicon.png"])
def test_health_and_documentation_are_open(guarded: Client, path: str) -> None:
    assert guarded.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/predict%0A", "/predict/", "/predict//", "/static-offline-docs/../frames"])
def test_no_spelling_of_a_path_needs_less(guarded: Client, keys: Keys, path: str) -> None:
    check_problem(guarded.post(path), 401)
    with_key = guarded.post(path, params=ABOUT, content=npy(rain()), headers={**NPY, **keys("read")})
    assert with_key.status_code in (307, 403, 404, 405)


def test_a_quota_is_told_kept_and_explained(guarded: Client, keys: Keys) -> None:
    for left in range(QUOTA - 1, -1, -1):
        response = ask(guarded, "read", headers=keys("few"))
        assert response.status_code == 200
        assert response.headers["ratelimit"].startswith(f'"minute";r={left};t=')
        assert response.headers["ratelimit-policy"] == f'"minute";q={QUOTA};w=60'
    response = ask(guarded, "read", headers=keys("few"))
    check_problem(response, 429, f"at most {QUOTA} requests in a minute")
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert ask(guarded, "read", headers=keys("read")).status_code == 200, "others are not concerned"
    assert guarded.get("/readyz", headers=keys("few")).status_code == 200


def test_quotas_go_on_without_redis(make_client: MAKE, keys: Keys, redis_server: RedisServer) -> None:
    one, other = (make_client(api_keys=keys.path, redis_url=redis_server.url) for _ in range(2))
    for _ in range(QUOTA - 1):
        assert ask(one, "read", headers=keys("few")).status_code == 200
    assert ask(other, "read", headers=keys("few")).headers["ratelimit"].startswith('"minute";r=0')
    check_problem(ask(one, "read", headers=keys("few")), 429)
    redis_server.kill()
    assert ask(other, "predict", headers=keys("predict")).status_code == 200
    check_problem(ask(one, "read", headers=keys("few")), 429)


def test_callers_without_a_key_are_told_apart_by_address(make_client: MAKE) -> None:
    client = make_client(anonymous_per_minute=2)
    assert [ask(client, "read").status_code for _ in range(3)] == [200, 200, 429]
    assert client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("host", "caller"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
        ("", "unknown"),
    ],
)
def test_of_addresses_that_one_caller_has_many_of_the_network_counts(host: str, caller: str) -> None:
    assert caller_of(host) == f"address:{caller}"


@pytest.mark.parametrize(
    ("about", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://raincell:9999"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://raincell"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        # Over http, but to loopback, browsers send Origin alone.
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": "http://raincell:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://raincell"}, 201),
        ({"Origin": "https://raincell:443"}, 201),  # behind a proxy with a certificate
    ],
)
def test_a_page_of_another_site_cannot_add_frames_to_the_service_of_who_reads_it(
    client: Client, about: dict[str, str], status: int
) -> None:
    assert ask(client, "ingest", headers=about).status_code == status
    assert ask(client, "read", headers=about).status_code == 200


def test_a_page_of_a_named_site_can(make_client: MAKE) -> None:
    client = make_client(cors_origins="https://maps.example")
    about = {"Sec-Fetch-Site": "cross-site", "Origin": "https://maps.example"}
    assert ask(client, "predict", headers=about).status_code == 200
    check_problem(ask(client, "predict", headers={**about, "Origin": "https://other.example"}), 403)


def test_no_shared_cache_keeps_what_a_key_opened(guarded: Client, keys: Keys) -> None:
    for path in ("/frames", "/models", "/metrics", "/openapi.json"):
        answer = guarded.get(path, headers=keys("all"))
        assert answer.status_code == 200
        with_key = path != "/openapi.json"
        assert ("private" in answer.headers.get("Cache-Control", "")) is with_key, path
        assert ("X-API-Key" in answer.headers.get("Vary", "")) is with_key, path
    refused = guarded.get("/nowcast", headers=keys("read"))
    assert refused.headers["Cache-Control"] == "no-store"


def test_only_named_proxies_may_say_who_asks(service_process: Callable[..., ServiceProcess]) -> None:
    for proxies, expected in (("", 429), ("127.0.0.1", 200)):
        server = service_process(RAINCELL_ANONYMOUS_PER_MINUTE="1", RAINCELL_TRUSTED_PROXIES=proxies)
        for caller in ("198.51.100.1", "198.51.100.2"):
            answer = httpx.get(f"{server.url}/frames", headers={"X-Forwarded-For": caller})
        assert answer.status_code == expected, proxies
